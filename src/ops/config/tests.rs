//! Precedence, ranges and the sentences of refusal, without a process's state.

use super::*;
use crate::ops::cli::{Cli, Command};
use clap::Parser as _;

fn flags(line: &str) -> Flags {
    match Cli::try_parse_from(["rhinobox", "serve"].into_iter().chain(line.split_whitespace()))
        .unwrap()
        .command
    {
        Some(Command::Serve(flags)) => *flags,
        other => panic!("{other:?}"),
    }
}

/// Flags, `NAME=value` words of the environment without their prefix, and the text of a `--config` file.
fn settle(line: &str, env: &str, text: &str) -> Result<Settings, String> {
    let env = |name: &str| {
        let pairs = env.split_whitespace().filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| name.strip_prefix("RHINOBOX_") == Some(key)).map(|(_, v)| v.into()).next()
    };
    let place = FilePlace { path: "/etc/rhinobox.toml".into(), required: true };
    resolve(&flags(line), &env, Some(File { place: &place, text })).map_err(|error| error.to_string())
}

#[test]
fn defaults_are_the_documented_ones() {
    let settings = settle("", "", "").unwrap();
    assert_eq!(
        settings,
        Settings {
            addr: "127.0.0.1:8090".parse().unwrap(),
            data_dir: "./data".into(),
            upload_bytes_max: 512 * 1024 * 1024,
            cores: None,
            durability: Durability::Commit,
            inline_bytes_max: 1_024 * 1024,
            segment_bytes: None,
            buffer_bytes: 256 * 1024 * 1024,
            stop_timeout: Duration::from_secs(5),
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            body_rate: 4 * 1024,
            idle_timeout: Duration::from_secs(60),
            answer_timeout: Duration::from_secs(30),
            scrub_cycle: Some(Duration::from_secs(14 * 24 * 60 * 60)),
            scrub_rate: 20 * 1024 * 1024,
            compaction_rate: 192 * 1024 * 1024,
            catalogue: true,
            hosts: vec![],
            allow_anonymous: false,
            log_format: LogFormat::Human,
            log_level: tracing::Level::INFO,
            access_log: false,
        }
    );
    assert_eq!(resolve(&Flags::default(), &|_| None, None).unwrap(), settings);
}

/// A value of each setting, as a word and as TOML; not its default.
const OTHERS: [(&str, &str, &str); 23] = [
    ("addr", "127.0.0.2:1", "'127.0.0.2:1'"),
    ("data_dir", "/d", "'/d'"),
    ("max_upload_mb", "7", "7"),
    ("cores", "7", "0x7"),
    ("durability", "os", "'os'"),
    ("inline_max_kib", "7", "7"),
    ("segment_mib", "7", "7"),
    ("buffer_mib", "70", "70"),
    ("stop_timeout_s", "7", "7"),
    ("head_timeout_s", "7", "7"),
    ("body_timeout_s", "7", "7"),
    ("body_rate_kib", "0", "0"),
    ("idle_timeout_s", "7", "7"),
    ("answer_timeout_s", "7", "7"),
    ("scrub_days", "0", "0"),
    ("scrub_mib_s", "7", "7"),
    ("compaction_mib_s", "0", "0"),
    ("catalogue", "off", "'off'"),
    ("host", "b.example", "['b.example']"),
    ("allow_anonymous", "true", "true"),
    ("log_format", "json", "'json'"),
    ("log_level", "trace", "'trace'"),
    ("access_log", "on", "'on'"),
];

#[test]
fn every_setting_has_one_name_in_all_three_places() {
    let default = settle("", "", "").unwrap();
    assert_eq!(OTHERS.map(|(name, ..)| name), NAMES);
    for (name, word, toml) in OTHERS {
        let by_flag = settle(&format!("--{}={word}", name.replace('_', "-")), "", "").unwrap();
        let by_env = settle("", &format!("{}={word}", name.to_uppercase()), "").unwrap();
        let by_file = settle("", "", &format!("{name} = {toml}")).unwrap();
        assert_ne!(by_flag, default, "{name}");
        assert_eq!((&by_flag, &by_flag), (&by_env, &by_file), "{name}");
    }
}

#[test]
fn flags_beat_the_environment_which_beats_the_file() {
    let cores = |line, env, text| settle(line, env, text).unwrap().cores;
    assert_eq!(cores("--cores 1", "CORES=2", "cores = 3"), Some(1));
    assert_eq!(cores("", "CORES=2", "cores = 3"), Some(2));
    assert_eq!(cores("", "", "cores = 3"), Some(3));
    assert_eq!(cores("", "CORES=", "cores = 3"), Some(3), "an empty variable is an unset one");
    let hosts = |line, env, text| settle(line, env, text).unwrap().hosts;
    assert_eq!(hosts("--host A --host b", "HOST=c,D", "host = 'e'"), ["a", "b"]);
    assert_eq!(hosts("", "HOST=c,D", "host = 'e'"), ["c", "d"]);
    assert_eq!(hosts("", "", "host = ['e', '[::1]']"), ["e", "[::1]"]);
    assert_eq!(hosts("", "", "host = 'e'"), ["e"]);
}

#[test]
fn addresses_are_read_without_a_name_service() {
    for (text, addr) in [
        (":8090", "[::]:8090"),
        ("0.0.0.0:80", "0.0.0.0:80"),
        ("localhost:0", "127.0.0.1:0"),
        ("[::1]:8090", "[::1]:8090"),
    ] {
        let settings = settle(&format!("--addr {text} --allow-anonymous"), "", "").unwrap();
        assert_eq!(settings.addr.to_string(), addr);
    }
    for text in ["8090", "localhost", "example.org:80", ":+80", ":65536", ":", "127.0.0.1", "::1:80:"] {
        let error = settle(&format!("--addr={text}"), "", "").unwrap_err();
        assert!(
            error.contains(&format!("addr given by --addr is `{text}`; it must be an address")),
            "{error}"
        );
    }
}

#[test]
fn listening_beyond_this_machine_must_be_meant() {
    for addr in [":8090", "0.0.0.0:8090", "192.0.2.1:8090", "[::ffff:192.0.2.1]:1"] {
        let exposed = |env, needs_token| {
            let settings = settle(&format!("--addr {addr}"), env, "").unwrap();
            settings.check_exposure(needs_token).map_err(|error| error.to_string())
        };
        let error = exposed("", false).unwrap_err();
        assert!(
            error.starts_with("listening on ") && error.contains("RHINOBOX_ALLOW_ANONYMOUS=1"),
            "{error}"
        );
        assert!(exposed("ALLOW_ANONYMOUS=1", false).is_ok() && exposed("", true).is_ok());
        assert!(exposed("ALLOW_ANONYMOUS=0", false).is_err());
    }
    for addr in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "[::ffff:127.0.0.1]:1"] {
        let settings = settle(&format!("--addr {addr}"), "", "").unwrap();
        assert!(settings.check_exposure(false).is_ok(), "{addr}");
    }
}

#[test]
fn an_error_names_setting_source_value_and_range() {
    for (line, env, text, expected) in [
        ("--cores 0", "", "", "cores given by --cores is `0`; it must be a whole number from 1 to 256"),
        ("--cores=257", "", "", "cores given by --cores is `257`; it must be a whole number from 1 to 256"),
        (
            "",
            "MAX_UPLOAD_MB=lots",
            "",
            "max_upload_mb from RHINOBOX_MAX_UPLOAD_MB is `lots`; it must be a whole number from 1 to 1048576",
        ),
        (
            "",
            "",
            "# first\nsegment_mib = 2000",
            "segment_mib in /etc/rhinobox.toml, line 2, is `2000`; it must be a whole number from 4 to 1024",
        ),
        (
            "",
            "",
            "cores = '4'",
            "cores in /etc/rhinobox.toml, line 1, is `4`; it must be a whole number from 1 to 256",
        ),
        (
            "",
            "",
            "cores = 4.5",
            "cores in /etc/rhinobox.toml, line 1, is `4.5`; it must be a whole number from 1 to 256",
        ),
        (
            "",
            "",
            "cores = -4",
            "cores in /etc/rhinobox.toml, line 1, is `-4`; it must be a whole number from 1 to 256",
        ),
        (
            "",
            "",
            "[cores]",
            "cores in /etc/rhinobox.toml, line 1, is `a TOML table`; it must be a whole number from 1 to 256",
        ),
        (
            "--durability maybe",
            "",
            "",
            "durability given by --durability is `maybe`; it must be `commit` or `os`",
        ),
        (
            "",
            "LOG_FORMAT=xml",
            "",
            "log_format from RHINOBOX_LOG_FORMAT is `xml`; it must be `human` or `json`",
        ),
        (
            "",
            "",
            "allow_anonymous = 1",
            "allow_anonymous in /etc/rhinobox.toml, line 1, is `1`; it must be `true` or `false`",
        ),
        (
            "--host a:80",
            "",
            "",
            "host given by --host is `a:80`; it must be host names without port, such as media.example.org",
        ),
        (
            "",
            "",
            "host = ['a', 3]",
            "host in /etc/rhinobox.toml, line 1, is `3`; it must be host names without port, such as media.example.org",
        ),
        (
            "",
            "",
            "data_dir = ''",
            "data_dir in /etc/rhinobox.toml, line 1, is ``; it must be the path of a folder",
        ),
    ] {
        assert_eq!(settle(line, env, text), Err(expected.to_owned()));
    }
    let error = settle("--durability \x1b[2J", "", "").unwrap_err();
    assert!(error.contains(r"`\u{1b}[2J`"), "{error}");
}

#[test]
fn unknown_and_malformed_files_are_refused_by_line() {
    let error = settle("", "", "\ncore = 3").unwrap_err();
    assert!(
        error.starts_with("/etc/rhinobox.toml, line 2, has an unknown setting `core`; known are addr, "),
        "{error}"
    );
    let error = settle("", "", "cores = 3\n\ncores = ").unwrap_err();
    assert!(error.starts_with("/etc/rhinobox.toml, line 3, is not TOML: "), "{error}");
    let error = settle("", "", "cores = 3\ncores = 4").unwrap_err();
    assert!(error.starts_with("/etc/rhinobox.toml, line 2, is not TOML: duplicate key"), "{error}");
    assert!(!error.contains('\n'));
}

#[test]
fn the_file_is_found_in_the_data_folder_unless_given() {
    let place = |line, name: &'static str, value: &'static str| {
        file_place(&flags(line), &|asked| (asked == name).then(|| value.into()))
    };
    let optional = |path: &str| FilePlace { path: path.into(), required: false };
    assert_eq!(place("", "", ""), optional("./data/rhinobox.toml"));
    assert_eq!(place("--data-dir /x", "RHINOBOX_DATA_DIR", "/y"), optional("/x/rhinobox.toml"));
    assert_eq!(place("", "RHINOBOX_DATA_DIR", "/y"), optional("/y/rhinobox.toml"));
    assert_eq!(place("--config c", "", ""), FilePlace { path: "c".into(), required: true });
    assert_eq!(place("", "RHINOBOX_CONFIG", "c"), FilePlace { path: "c".into(), required: true });

    let place = optional("/d/rhinobox.toml");
    let file = File { place: &place, text: "data_dir = '/elsewhere'" };
    let error = resolve(&Flags::default(), &|_| None, Some(file)).unwrap_err().to_string();
    assert!(error.starts_with("data_dir in /d/rhinobox.toml, line 1, cannot be set by a file"), "{error}");
}
