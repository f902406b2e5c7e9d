//! One daemon at a time: a second start is refused in words, a start right after a kill is not.

use crate::support::{Daemon, Setup};

#[test]
fn a_second_start_is_refused_and_the_first_serves_on() {
    let daemon = Daemon::start();
    let (code, said) = daemon.setup.refused();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("rhinobox: ") && said.contains("data directory"), "{said}");
    assert!(said.contains("is locked by process") && said.contains("stop that daemon"), "{said}");
    daemon.serves();
}

#[test]
fn a_start_straight_after_a_kill_works() {
    let mut setup = Setup::new();
    for round in 0..5 {
        let daemon = setup.start();
        let record = daemon.upload("a.txt", format!("round {round}").as_bytes());
        setup = daemon.kill();
        let daemon = setup.start();
        assert_eq!(
            daemon.content(record["hash"].as_str().expect("a hash")),
            format!("round {round}").as_bytes()
        );
        setup = daemon.kill();
    }
}

#[test]
fn an_address_in_use_is_refused_in_words() {
    let daemon = Daemon::start();
    let address = format!("127.0.0.1:{}", daemon.port());
    let (code, said) = Setup::new().addr(Some(&address)).refused();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&address) && said.contains("in use"), "{said}");
    daemon.serves();
}
