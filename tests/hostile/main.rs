//! Clients that mean no good, or are in a bad way: each time a good client is served beside them. One behaviour a file.

#[path = "../support/mod.rs"]
mod support;

mod crowd;

mod few_descriptors_make_it_slower_and_not_dead;
mod memory_stays_within_what_the_start_says;
mod names_in_answers_move_no_terminal;
mod resets_in_mid_upload_leave_every_content_right;
mod slow_clients_are_cut_off_while_others_are_served;
mod slow_clients_hold_up_no_deletes;
mod slow_readers_hold_no_memory;
mod slow_uploads_hold_little_memory;
mod slowhttptest_finds_the_daemon_serving;
