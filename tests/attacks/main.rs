//! What somebody tries who means harm, and what comes of it: one rule a file.

#[path = "../support/mod.rs"]
mod support;

mod a_foreign_site_gets_nothing_with_a_browsers_password;
mod a_revoked_token_is_refused_on_connections_that_are_open;
mod an_expired_token_is_refused;
mod dots_and_line_ends_stay_what_they_are;
mod every_endpoint_wants_a_token_with_its_scope;
mod every_request_leaves_a_line_without_its_token;
mod guessing_tokens_finds_none_and_locks_nobody_out;
mod refusals_come_before_the_body;
mod tokens_are_taken_from_no_other_place;
mod what_happens_to_the_file_of_tokens_opens_nothing;
