//! The store's crash safety, shown on a simulated disk that drives the code the daemon runs. One behaviour a file.

mod acknowledged_files_survive_power_cuts;
#[path = "../support/sim_store.rs"]
mod sim_store;
