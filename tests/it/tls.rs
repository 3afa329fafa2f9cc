//! TLS against a real server, with every kind of certificate that servers are seen with.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use seedbed::database::{dsn::Dsn, tls};

const NAMES: &[&str] = &["localhost", "127.0.0.1"];

/// Per server certificate: what is added to the connection string, and what comes of it.
const CONNECTIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "none",
        &[
            ("", "plain"),
            ("sslmode=disable", "plain"),
            ("sslmode=allow", "plain"),
            ("sslmode=prefer", "plain"),
            ("sslmode=require", "server does not support TLS"),
            ("sslmode=verify-ca", "server does not support TLS"),
            ("sslmode=verify-full", "server does not support TLS"),
            ("channel_binding=require", "server does not support TLS"),
        ],
    ),
    (
        // A server that signed for itself, as `openssl req -x509` makes it and as Debian comes.
        "own-authority",
        &[
            ("", "encrypted"),
            ("sslmode=disable", "plain"),
            ("sslmode=allow", "encrypted"),
            ("sslmode=require", "encrypted"),
            ("sslmode=require channel_binding=require", "encrypted"),
            ("sslmode=require channel_binding=disable", "encrypted"),
            ("sslmode=verify-ca", "invalid peer certificate"),
            ("sslmode=verify-full", "invalid peer certificate"),
            ("sslrootcert=system", "invalid peer certificate"),
            ("sslmode=require sslrootcert=own-authority.pem", "encrypted"),
            ("sslmode=verify-ca sslrootcert=own-authority.pem", "encrypted"),
            ("sslmode=verify-full sslrootcert=own-authority.pem", "encrypted"),
            ("sslmode=require sslrootcert=own.pem", "invalid peer certificate"),
            ("sslmode=prefer sslrootcert=own.pem", "encrypted"),
        ],
    ),
    (
        "own",
        &[
            ("sslmode=require", "encrypted"),
            ("sslmode=verify-ca", "invalid peer certificate: UnknownIssuer"),
            ("sslmode=verify-full sslrootcert=own.pem", "encrypted"),
            ("sslmode=verify-full sslrootcert=authority.pem", "invalid peer certificate"),
        ],
    ),
    (
        "own-expired",
        &[
            ("sslmode=require", "encrypted"),
            ("sslmode=verify-ca sslrootcert=own-expired.pem", "certificate expired"),
        ],
    ),
    (
        "own-elsewhere",
        &[
            ("sslmode=verify-ca sslrootcert=own-elsewhere.pem", "encrypted"),
            ("sslmode=verify-full sslrootcert=own-elsewhere.pem", "not valid for name"),
        ],
    ),
    (
        "signed",
        &[
            ("", "encrypted"),
            ("sslmode=require sslrootcert=authority.pem", "encrypted"),
            ("sslmode=verify-ca sslrootcert=authority.pem", "encrypted"),
            ("sslmode=verify-full sslrootcert=authority.pem", "encrypted"),
            ("sslmode=verify-full sslrootcert=authority.pem host=localhost", "encrypted"),
            ("sslmode=verify-full sslrootcert=authority.pem host=localhost hostaddr=127.0.0.1", "encrypted"),
            (
                "sslmode=verify-full sslrootcert=authority.pem host=x.example hostaddr=127.0.0.1",
                "not valid for name",
            ),
            ("sslmode=verify-full sslrootcert=authority.pem channel_binding=require", "encrypted"),
            ("sslmode=verify-full", "invalid peer certificate: UnknownIssuer"),
            ("sslmode=verify-full sslrootcert=own.pem", "invalid peer certificate"),
            ("sslmode=require user=trusted", "encrypted"),
            ("sslmode=require user=trusted channel_binding=require", "server did not use channel binding"),
            ("sslmode=require user=certified", "connection requires a valid client certificate"),
            ("sslmode=require user=certified sslcert=certified.pem sslkey=certified.key", "encrypted"),
        ],
    ),
    (
        "signed-elsewhere",
        &[
            ("sslmode=require sslrootcert=authority.pem", "encrypted"),
            ("sslmode=verify-ca sslrootcert=authority.pem", "encrypted"),
            ("sslmode=verify-full sslrootcert=authority.pem", "not valid for name"),
        ],
    ),
    (
        "signed-expired",
        &[
            ("sslmode=require", "encrypted"),
            ("sslmode=verify-ca sslrootcert=authority.pem", "certificate expired"),
        ],
    ),
    (
        // It names the host in a way that is looked at no longer.
        "manual-rsa",
        &[
            ("", "encrypted"),
            ("sslmode=require channel_binding=require", "encrypted"),
            ("sslmode=verify-ca sslrootcert=manual-rsa.pem", "encrypted"),
            ("host=localhost sslmode=verify-full sslrootcert=manual-rsa.pem", "not valid for"),
        ],
    ),
    (
        // Its signature has no digest that a password exchange could be bound to.
        "manual-ed25519",
        &[
            ("sslmode=require", "encrypted"),
            ("sslmode=verify-ca sslrootcert=manual-ed25519.pem", "encrypted"),
            ("sslmode=require channel_binding=require", "server did not use channel binding"),
        ],
    ),
    (
        "manual-v1",
        &[
            ("", "encrypted"),
            ("sslmode=require channel_binding=require", "encrypted"),
            ("sslmode=verify-ca sslrootcert=authority.pem", "UnsupportedCertVersion"),
        ],
    ),
];

#[test]
fn sslmode_means_what_libpq_means_by_it() {
    let mut server = Server::new();
    for (certificate, connections) in CONNECTIONS {
        server.start(certificate);
        for (options, expected) in *connections {
            let observed = server.connect(options);
            assert!(observed.contains(expected), "{certificate}: {options}: {observed}");
        }
    }
}

#[test]
fn a_statement_is_cancelled_over_tls() {
    let mut server = Server::new();
    server.start("signed");
    let dsn = server.dsn("sslmode=verify-full sslrootcert=authority.pem");
    let tls = tls::connector(&dsn).unwrap();
    let mut client = dsn.config().connect(tls.connector.clone()).unwrap();
    let token = client.cancel_token();
    let canceller = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        token.cancel_query(tls.connector)
    });
    let started = Instant::now();
    let error = client.batch_execute("select pg_sleep(20)").unwrap_err();
    assert_eq!(error.code(), Some(&postgres::error::SqlState::QUERY_CANCELED));
    assert!(started.elapsed() < Duration::from_secs(5));
    canceller.join().unwrap().unwrap();
}

#[test]
fn sslmode_does_not_matter_for_a_socket() {
    let mut server = Server::new();
    server.start("own");
    for mode in ["disable", "prefer", "require", "verify-full"] {
        let socket = server.directory.path().display();
        let observed = server.connect(&format!("host={socket} sslmode={mode}"));
        assert_eq!(observed, "plain", "{mode}");
    }
}

#[test]
fn a_server_with_a_copy_of_a_certificate_and_another_key_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    write_certificates(directory.path());
    write_manual_certificates(directory.path());
    let path = |name: &str| directory.path().join(name);
    let cases = [
        ("own", "own.key", "sslmode=require", "without sending TLS close_notify"),
        ("own", "signed.key", "", "BadSignature"),
        ("own", "signed.key", "sslmode=require channel_binding=require", "BadSignature"),
        ("own", "signed.key", "sslmode=verify-ca sslrootcert=own.pem", "BadSignature"),
        ("manual-v1", "manual-v1.key", "sslmode=require", "without sending TLS close_notify"),
        ("manual-v1", "manual-rsa.key", "", "BadSignature"),
        ("manual-v1", "manual-rsa.key", "sslmode=require channel_binding=require", "BadSignature"),
    ];
    for (certificate, key, options, expected) in cases {
        let port = impersonate(&path(&format!("{certificate}.pem")), &path(key));
        let options = options.replace("=own.pem", &format!("={}", path("own.pem").display()));
        let text = format!("host=127.0.0.1 port={port} user=u {options}");
        let observed = connect(&Dsn::parse(&text, &|_| None).unwrap());
        assert!(observed.contains(expected), "{certificate}, {key}, {options}: {observed}");
    }
}

/// Answers one connection with the given certificate and key, which need not belong together, and
/// hangs up after the handshake. The result is its port.
fn impersonate(certificate: &Path, key: &Path) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let key = provider.key_provider.load_private_key(key).unwrap();
    let certificate = vec![CertificateDer::from_pem_file(certificate).unwrap()];
    let resolver = SingleCertAndKey::from(CertifiedKey::new(certificate, key));
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request_for_tls = [0; 8];
        stream.read_exact(&mut request_for_tls).unwrap();
        stream.write_all(b"S").unwrap();
        let mut tls = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let _ = tls.complete_io(&mut stream);
        // What the client says next is read, so that the end of it is no reset.
        let _ = rustls::Stream::new(&mut tls, &mut stream).read(&mut [0; 1024]);
    });
    port
}

/// A server in a directory of its own, which also holds the certificates.
struct Server {
    directory: tempfile::TempDir,
    port: u16,
    process: Option<Child>,
}

impl Server {
    fn new() -> Server {
        let directory = tempfile::tempdir().unwrap();
        write_certificates(directory.path());
        write_manual_certificates(directory.path());
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Server { directory, port, process: None };
        fs::write(server.path("password"), "s3cr3t").unwrap();
        own(server.directory.path());
        run(program("initdb")
            .args(["--username=u", "--auth=scram-sha-256", "--no-sync", "--pgdata"])
            .arg(server.path("data"))
            .arg("--pwfile")
            .arg(server.path("password")));
        let hba = "local all all scram-sha-256\n\
                   host all trusted 127.0.0.1/32 trust\n\
                   hostssl all certified 127.0.0.1/32 cert\n\
                   host all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(server.path("data/pg_hba.conf"), hba).unwrap();
        server
    }

    /// Starts it, again if need be, with the named certificate.
    fn start(&mut self, certificate: &str) {
        self.stop();
        let mut program = program("postgres");
        program.arg("-D").arg(self.path("data"));
        let mut set = |setting: String| {
            program.args(["-c", &setting]);
        };
        set(format!("port={}", self.port));
        set("listen_addresses=127.0.0.1".to_owned());
        set(format!("unix_socket_directories={}", self.directory.path().display()));
        set("fsync=off".to_owned());
        if certificate != "none" {
            set("ssl=on".to_owned());
            set(format!("ssl_cert_file={}", self.path(&format!("{certificate}.pem")).display()));
            set(format!("ssl_key_file={}", self.path(&format!("{certificate}.key")).display()));
            set(format!("ssl_ca_file={}", self.path("authority.pem").display()));
        }
        let log = fs::File::create(self.path("log")).unwrap();
        self.process = Some(program.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.connect("sslmode=disable") != "plain" {
            let log = fs::read_to_string(self.path("log")).unwrap();
            assert!(Instant::now() < deadline, "{}: {log}", self.connect("sslmode=disable"));
            thread::sleep(Duration::from_millis(50));
        }
        let dsn = self.dsn("sslmode=disable");
        let mut client = dsn.config().connect(postgres::NoTls).unwrap();
        for role in ["trusted", "certified"] {
            let _ = client.batch_execute(&format!("create role {role} login"));
        }
    }

    fn stop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let pid = fs::read_to_string(self.path("data/postmaster.pid")).unwrap_or_default();
        if let Some(pid) = pid.lines().next().and_then(|pid| pid.parse().ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
        }
        let _ = process.wait();
    }

    fn dsn(&self, options: &str) -> Dsn {
        let at = |option: &str| format!("{option}={}/", self.directory.path().display());
        let mut text = format!("host=127.0.0.1 port={} user=u dbname=postgres {options}", self.port);
        for option in ["sslrootcert", "sslcert", "sslkey"] {
            if !text.contains("=system") {
                text = text.replace(&format!("{option}="), &at(option));
            }
        }
        let password = |name: &str| (name == "PGPASSWORD").then(|| "s3cr3t".to_owned());
        Dsn::parse(&text, &password).unwrap()
    }

    fn connect(&self, options: &str) -> String {
        connect(&self.dsn(options))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// How a connection turns out: `encrypted`, `plain`, or why there is none.
fn connect(dsn: &Dsn) -> String {
    let tls = tls::connector(dsn).unwrap();
    let ask = "select coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false)";
    match dsn.config().connect(tls.connector).and_then(|mut it| it.query_one(ask, &[])) {
        Ok(row) if row.get(0) => "encrypted".to_owned(),
        Ok(_) => "plain".to_owned(),
        Err(error) => {
            let mut texts = vec![error.to_string()];
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                texts.push(error.to_string());
                cause = error.source();
            }
            texts.join(": ")
        }
    }
}

fn write_certificates(directory: &Path) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = params(&[]);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "authority");
    let certificate = authority.self_signed(&authority_key).unwrap();
    fs::write(directory.join("authority.pem"), certificate.pem()).unwrap();
    let authority = Issuer::new(authority, authority_key);

    let elsewhere = params(&["elsewhere.example"]);
    let mut expired = params(NAMES);
    expired.not_after = date_time_ymd(2020, 1, 1);
    let mut own_authority = params(NAMES);
    own_authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut certified = params(&[]);
    certified.distinguished_name.push(DnType::CommonName, "certified");

    let write = |name: &str, params: &CertificateParams, by| {
        let key = KeyPair::generate().unwrap();
        let certificate = match by {
            Some(issuer) => params.signed_by(&key, issuer),
            None => params.self_signed(&key),
        };
        fs::write(directory.join(format!("{name}.pem")), certificate.unwrap().pem()).unwrap();
        let path = directory.join(format!("{name}.key"));
        fs::write(&path, key.serialize_pem()).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    };
    write("own", &params(NAMES), None);
    write("own-authority", &own_authority, None);
    write("own-expired", &expired, None);
    write("own-elsewhere", &elsewhere, None);
    write("signed", &params(NAMES), Some(&authority));
    write("signed-elsewhere", &elsewhere, Some(&authority));
    write("signed-expired", &expired, Some(&authority));
    write("certified", &certified, Some(&authority));
}

/// Certificates as the server's manual makes them. The last one has no extension at all, and so is
/// of the first version of X.509.
fn write_manual_certificates(directory: &Path) {
    let path = |name: &str, ending: &str| directory.join(format!("{name}.{ending}"));
    for (name, kind) in [("manual-rsa", "rsa:2048"), ("manual-ed25519", "ed25519")] {
        run(Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-days", "9", "-subj", "/CN=localhost", "-newkey", kind])
            .arg("-keyout")
            .arg(path(name, "key"))
            .arg("-out")
            .arg(path(name, "pem")));
    }
    run(Command::new("openssl")
        .args(["req", "-new", "-nodes", "-subj", "/CN=localhost", "-newkey", "rsa:2048"])
        .arg("-keyout")
        .arg(path("manual-v1", "key"))
        .arg("-out")
        .arg(path("manual-v1", "csr")));
    run(Command::new("openssl")
        .args(["x509", "-req", "-days", "9", "-in"])
        .arg(path("manual-v1", "csr"))
        .arg("-signkey")
        .arg(path("manual-v1", "key"))
        .arg("-out")
        .arg(path("manual-v1", "pem")));
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
}

/// A program of the newest PostgreSQL here, which refuses to run as root.
fn program(name: &str) -> Command {
    let path = crate::support::programs().join(name);
    if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(path);
        command
    } else {
        Command::new(path)
    }
}

fn own(directory: &Path) {
    if is_root() {
        run(Command::new("chown").args(["-R", "postgres"]).arg(directory));
    }
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap()) == 0
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
