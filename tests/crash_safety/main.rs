//! The store's crash safety, shown on a simulated disk that drives the code the daemon runs. One behaviour a file.

mod a_stop_may_be_cut_anywhere;
mod acknowledged_files_survive_power_cuts;
mod checkpoints_are_only_a_shortcut;
mod damage_costs_no_more_than_itself;
mod deleted_files_stay_gone_and_their_space_returns;
mod duplicates_wait_until_the_original_is_durable;
mod failing_disks_cause_no_false_answers;
mod recovery_may_be_cut_anywhere;
mod scrubbing_finds_rot_before_a_reader_does;
#[path = "../support/sim_store/mod.rs"]
mod sim_store;
mod stale_bytes_never_parse;
