//! The contract of uploads and reads, sentence by sentence. One behaviour a file.

#[path = "../support/mod.rs"]
mod support;

mod a_put_stores_its_body_under_its_name;
mod an_answer_in_lines_streams_while_the_body_arrives;
mod another_name_is_given_without_sending_the_content;
mod browsers_are_shown_the_page_and_programs_json;
mod browsers_show_only_what_cannot_run;
mod conditions_and_ranges_follow_the_rfc;
mod dedup_says_which_contents_are_to_be_sent;
mod deleted_files_are_gone_for_good;
mod duplicates_keep_their_own_names;
mod every_upload_answers_with_its_record;
mod fields_stand_anywhere_and_the_query_wins;
mod hostile_names_stay_names;
mod kinds_of_files_have_their_folders;
mod many_names_are_given_at_once;
mod metrics_and_health_say_how_it_goes;
mod reads_carry_what_clients_need;
mod two_hundred_hostile_names_reach_nothing;
mod uploads_say_where_their_time_went;
