//! The commands that ask a daemon, against real daemons and against servers that behave badly. One behaviour a file.

#[path = "../support/mod.rs"]
mod support;

mod gate;
mod program;

mod a_busy_or_lost_server_is_asked_again;
mod a_download_is_whole_or_not_there;
mod a_file_that_changes_or_vanishes_is_named;
mod a_second_run_sends_no_content;
mod a_token_is_shown_and_its_lack_is_said;
mod an_interrupted_put_is_resumed;
mod bad_input_is_said_in_a_sentence;
mod everything_that_is_no_file_is_passed_over;
mod hostile_names_arrive_and_move_no_terminal;
mod results_are_told_by_json_and_exit_status;
mod standard_input_is_a_file_too;
mod the_bar_fits_its_terminal_and_is_taken_away;
mod the_predecessors_folder_comes_in;
mod what_is_stored_is_listed_and_found;
mod what_is_stored_is_shown_and_removed;
