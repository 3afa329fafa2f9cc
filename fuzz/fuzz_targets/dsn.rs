//! Any text as a connection string: understood, or refused without a word of its password.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seedbed::database::dsn::Dsn;

fuzz_target!(|text: &str| {
    let canary = "s3cr3t-c4n4ry";
    let nobody = |_: &str| None;
    for text in [text.to_owned(), text.replace("PASS", canary)] {
        match Dsn::parse(&text, &nobody) {
            Ok(dsn) => {
                dsn.config();
                // What stands elsewhere as well is no secret.
                let is_secret = text.contains(&format!(":{canary}@")) && text.matches(canary).count() == 1;
                assert!(!is_secret || !dsn.name().contains(canary));
            }
            Err(error) => assert!(!format!("{error} {error:?}").contains(canary)),
        }
    }
});
