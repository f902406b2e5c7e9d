//! The simulated machine: cores, clock and disk on one thread, all chance from one seed.
