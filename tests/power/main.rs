//! Real disks that fail: file systems and disks whose power is cut, that cannot write back, that are full; limits of the
//! process. One behaviour a file.
//!
//! They need root, loop devices and a few Debian packages (scripts/setup-tests.sh); what is missing is said in words.

mod cuts;
#[path = "../support/mod.rs"]
mod support;
mod volatile_disk;

mod a_cut_of_a_disk_with_a_volatile_cache_loses_nothing_that_was_answered;
mod a_cut_of_a_file_system_loses_nothing_that_was_answered;
mod a_disk_that_fails_ends_the_daemon_and_costs_nothing_that_was_answered;
mod a_full_volume_refuses_eight_clients_and_takes_them_again;
mod few_descriptors_make_it_slower_and_lose_nothing;
mod files_over_the_size_limit_of_the_process_cost_nothing_that_was_answered;
