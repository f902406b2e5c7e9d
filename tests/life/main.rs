//! Start, stop, restart, kill, settings. One behaviour a file.

#[path = "../support/mod.rs"]
mod support;

mod a_kill_loses_nothing_that_was_answered;
mod a_stop_finishes_what_is_in_flight;
mod one_daemon_has_a_directory;
mod settings_come_from_flags_then_environment_then_file;
mod starts_that_cannot_be_right_are_refused_in_words;
mod what_was_stored_is_there_after_a_restart;
