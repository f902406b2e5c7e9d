//! Guesses cost the daemon little, tell the guesser nothing, and keep out nobody who has a token.

use crate::support::{Setup, bearer, create_token};

#[test]
fn thousands_of_guesses_change_nothing_for_who_has_a_token() {
    let setup = Setup::new();
    let token = create_token(&setup, "reader", "read", &[]);
    let daemon = setup.start();
    let mut guesser = daemon.connect();
    let mut said = std::collections::HashSet::new();
    let mut guess = |guess: &str| {
        let response = guesser.ask("GET", "/stats", &[("Authorization", guess)], b"").expect(401);
        assert!(
            !response.text().contains(guess.trim_start_matches("Bearer ")),
            "what was shown is not repeated"
        );
        said.insert(response.error());
    };
    for number in 0..3_000 {
        guess(&bearer(&format!("rhinobox_{number:064x}")));
    }
    // As near as can be: all but one digit, one too few, one too many, in capitals.
    let (start, last) = token.split_at(token.len() - 1);
    let other = if last == "0" { "1" } else { "0" };
    for near in [&format!("{start}{other}"), start, &format!("{token}0"), &token.to_uppercase(), &token[9..]]
    {
        guess(&bearer(near));
    }
    assert_eq!(said.len(), 1, "every guess is answered alike: {said:?}");
    for odd in [
        "Bearer",
        "Bearer ",
        "Basic",
        "Basic !!!",
        "Basic Og==",
        "Digest a",
        "x",
        &bearer(&"a".repeat(8_000)),
    ] {
        assert_eq!(guesser.ask("GET", "/stats", &[("Authorization", odd)], b"").status, 401, "{odd}");
    }
    for _ in 0..3 {
        let mut client = daemon.connect();
        assert_eq!(client.ask("GET", "/stats", &[("Authorization", &bearer(&token))], b"").status, 200);
        assert_eq!(guesser.ask("GET", "/stats", &[("Authorization", &bearer(&token))], b"").status, 200);
    }
    assert!(!daemon.said().contains(&token), "no token is in the log");
}

#[test]
fn a_token_with_a_rate_is_told_when_to_come_again_and_others_are_not() {
    let setup = Setup::new();
    let slow = create_token(&setup, "slow", "read", &["--rate", "5"]);
    let free = create_token(&setup, "free", "read", &[]);
    let daemon = setup.start();
    let mut client = daemon.connect();
    let mut ask = |token: &str| client.ask("GET", "/stats", &[("Authorization", &bearer(token))], b"");
    let answers: Vec<_> = (0..100).map(|_| ask(&slow)).collect();
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    let refused =
        answers.iter().find(|answer| answer.status == 429).expect("more than 5 at once are too many");
    assert!((5..100).contains(&good), "{good}");
    assert_eq!(refused.field("Retry-After"), Some("1"));
    assert!(refused.error().contains("`slow`"));
    assert!((0..50).all(|_| ask(&free).status == 200));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while ask(&slow).status != 200 {
        assert!(std::time::Instant::now() < deadline, "it is let in again");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}
