use std::fs;

use super::*;

#[test]
fn a_connection_that_another_machine_could_answer_is_told_from_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let roots = directory.path().join("roots.pem");
    fs::write(&roots, authority()).unwrap();
    let check = |text: &str, expected: bool| {
        let text = text.replace("ROOTS", &roots.display().to_string());
        let dsn = Dsn::parse(&text, &|_| None).unwrap();
        assert_eq!(connector(&dsn).unwrap().is_unverified, expected, "{text}");
    };
    check("host=db.example.org", true);
    check("host=db.example.org sslmode=allow", true);
    check("host=db.example.org sslmode=prefer sslrootcert=ROOTS", true);
    check("host=db.example.org sslmode=require", true);
    check("host=db.example.org sslmode=require channel_binding=require", false);
    check("host=db.example.org sslmode=require sslrootcert=ROOTS", false);
    check("host=db.example.org sslmode=verify-ca", true);
    check("host=db.example.org sslmode=verify-full", false);
    check("host=db.example.org sslrootcert=system", false);
    check("host=db.example.org sslmode=disable", false);
    check("host=db.example.org hostaddr=127.0.0.1", false);
    check("host=localhost hostaddr=10.0.0.1", true);
    check("host=localhost,db.example.org", true);
    check("host=localhost", false);
    check("host=127.0.0.2", false);
    check("host=::1", false);
    check("host=10.0.0.1", true);
    check("host=/run/postgresql sslmode=require", false);
}

#[test]
fn a_file_that_cannot_be_used_is_named_and_not_quoted() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::write(path("text"), "canary").unwrap();
    fs::write(path("torn"), "-----BEGIN CERTIFICATE-----\ncanary\n").unwrap();
    fs::write(path("other"), "-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n-----END CERTIFICATE-----\n").unwrap();
    fs::write(path("roots"), authority()).unwrap();
    let check = |options: &str, expected: &str| {
        let options = options.replace("IN/", &path(""));
        let dsn = Dsn::parse(&format!("host=h sslmode=verify-ca {options}"), &|_| None).unwrap();
        let observed = connector(&dsn).err().unwrap().to_string().replace(&path(""), "IN/");
        assert!(observed.starts_with(expected), "{options}: {observed}");
        assert!(!observed.contains("canary") && !observed.contains('\n'), "{observed}");
    };
    check("sslrootcert=IN/none", "`IN/none`, which `sslrootcert` names, cannot be used: No such file");
    check("sslrootcert=IN/text", "`IN/text`, which `sslrootcert` names, cannot be used: it holds none");
    check("sslrootcert=IN/torn", "`IN/torn`, which `sslrootcert` names, cannot be used: it is not");
    check("sslrootcert=IN/other", "a certificate in `IN/other` of `sslrootcert` cannot be used: ");
    check("sslcert=IN/text sslkey=IN/text", "`IN/text`, which `sslcert` names, cannot be used");
    check("sslcert=IN/roots sslkey=IN/roots", "`IN/roots`, which `sslkey` names, cannot be used");
}

#[test]
fn files_are_left_alone_when_no_certificate_will_be_looked_at() {
    let files = "sslrootcert=/nowhere sslcert=/nowhere sslkey=/nowhere";
    for connection in ["host=h sslmode=disable", "host=/run/postgresql sslmode=verify-full"] {
        let dsn = Dsn::parse(&format!("{connection} {files}"), &|_| None).unwrap();
        assert!(connector(&dsn).is_ok(), "{connection}");
    }
}

fn authority() -> String {
    rcgen::generate_simple_self_signed(["authority".to_owned()]).unwrap().cert.pem()
}
