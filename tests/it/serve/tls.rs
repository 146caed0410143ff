//! Connections that are encrypted, by a client that is not ours; `openssl` makes the certificates.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use expect_test::expect;

use crate::processes::wait_until;
use crate::serve::event;
use crate::serve::server::{Server, said};
use crate::world::World;

const FILES: [&str; 4] = ["--tls-cert", "shop.pem", "--tls-key", "shop.key"];

/// Makes a certificate for 127.0.0.1 that signs itself, valid for a year from now.
pub fn make_certificate(world: &World, name: &str) {
    let [key, certificate] = ["key", "pem"].map(|ending| world.path(&format!("{name}.{ending}")));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "365", "-subj", "/CN=shop", "-addext", "subjectAltName=IP:127.0.0.1"])
        // An authority is no server to all clients.
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args([Path::new("-keyout"), &key, Path::new("-out"), &certificate])
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Asks with curl, which trusts one certificate, and returns the status and the body, or curl's exit code.
fn curl(server: &Server, world: &World, trusted: &str, target: &str, more: &[&str]) -> Result<String, i32> {
    let asked = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "60",
            "--write-out",
            "%{http_code} %{ssl_verify_result}",
        ])
        .arg("--cacert")
        .arg(world.path(trusted))
        .args(more)
        .arg(format!("https://{}{target}", server.address))
        .output()
        .expect("curl is installed");
    match asked.status.code() {
        Some(0) => Ok(String::from_utf8(asked.stdout).expect("answers are text")),
        code => Err(code.expect("curl ended by itself")),
    }
}

#[test]
fn a_client_that_knows_the_certificate_sends_and_asks() {
    let world = World::new();
    make_certificate(&world, "shop");
    let server = Server::listening(&world, &FILES);
    wait_until("the server is ready", || {
        curl(&server, &world, "shop.pem", "/readyz", &[]) == Ok("ok\n200 0".to_owned())
    });
    let data = event(20, "apple", 3);
    for version in ["--tlsv1.3", "--tls-max=1.2"] {
        let more = [version.split('=').collect::<Vec<_>>(), vec!["--json", &data]].concat();
        let answer = curl(&server, &world, "shop.pem", "/v1/events", &more).expect("the server answers");
        assert!(answer.contains("\"accepted\":1"), "{version}: {answer}");
    }
    let count = curl(&server, &world, "shop.pem", "/v1/count?item=apple", &[]).expect("the server answers");
    assert!(count.contains("\"units\":6"), "{count}");
    // Only one protocol is offered.
    let version = ["--http2", "--output", "/dev/null", "--write-out", "%{http_version}"];
    let spoken = curl(&server, &world, "shop.pem", "/healthz", &version).expect("the server answers");
    assert!(spoken.ends_with("1.1"), "{spoken}");
    make_certificate(&world, "other");
    const DOES_NOT_TRUST: i32 = 60;
    assert_eq!(curl(&server, &world, "other.pem", "/healthz", &[]), Err(DOES_NOT_TRUST));
    assert!(said(&world).contains("listening on https://127.0.0.1:"), "{}", said(&world));
    // The world's clock shows 2017.
    assert!(said(&world).contains("shop.pem: the certificate is not valid before 20"), "{}", said(&world));
}

#[test]
fn a_connection_that_does_not_speak_tls_is_closed() {
    let world = World::new();
    make_certificate(&world, "shop");
    let server = Server::listening(&world, &FILES);
    for bytes in [&b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n"[..], b"\x16\x03\x01\xff\xff\xff", b"\0"] {
        let mut stream = server.connect().expect("the server listens");
        stream.write_all(bytes).expect("the server reads");
        // Half a handshake ends when it takes too long.
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
    }
    let metrics = || curl(&server, &world, "shop.pem", "/metrics", &[]).expect("the server answers");
    wait_until("they are counted", || metrics().contains("\ntopsell_server_tls_handshakes_failed_total 3\n"));
    let metrics = metrics();
    let expiry = metrics.split("\ntopsell_server_certificate_expiry_timestamp_seconds ").nth(1);
    let expiry: u64 = expiry.and_then(|rest| rest.lines().next()?.parse().ok()).expect("it is a number");
    let year = 365 * 86_400;
    let now = std::time::UNIX_EPOCH.elapsed().expect("it is after 1970").as_secs();
    assert!((now + year - 600..=now + year).contains(&expiry), "{expiry}");
}

#[test]
fn a_renewed_certificate_is_used_without_a_restart() {
    let world = World::new();
    make_certificate(&world, "shop");
    let old = std::fs::read(world.path("shop.pem")).expect("it was made");
    world.write("old.pem", old);
    let server = Server::listening(&world, &FILES);
    assert!(curl(&server, &world, "old.pem", "/healthz", &[]).is_ok());
    // A renewal that stops half-way leaves the old one in use, and is said once.
    make_certificate(&world, "new");
    let copy = |from: &str, to: &str| {
        std::fs::copy(world.path(from), world.path(to)).expect("a file can be copied");
    };
    copy("new.pem", "shop.pem");
    let says = |what: &str| said(&world).matches(what).count();
    wait_until("it is said", || says("does not belong to the certificate of") == 1);
    assert!(curl(&server, &world, "old.pem", "/healthz", &[]).is_ok());
    copy("new.key", "shop.key");
    wait_until("it is used", || curl(&server, &world, "new.pem", "/healthz", &[]).is_ok());
    assert!(curl(&server, &world, "old.pem", "/healthz", &[]).is_err());
    assert_eq!((says("the new certificate is used"), says("does not belong")), (1, 1), "{}", said(&world));
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let world = World::new();
    make_certificate(&world, "shop");
    make_certificate(&world, "other");
    world.write("text.pem", "no certificate\n");
    let serve = |words: &str| {
        let said = world.run(&format!("serve --listen 127.0.0.1:0 {words}"));
        said.whole()
    };
    expect![[r#"
        stderr: error: the following required arguments were not provided:
        stderr:   --tls-key <FILE>
        stderr: 
        stderr: Usage: topsell serve --tls-cert <FILE> --tls-key <FILE> --listen <ADDRESS>
        stderr: 
        stderr: For more information, try '--help'.
        exit code 2
    "#]]
    .assert_eq(&serve("--tls-cert shop.pem"));
    expect![[r#"
        stderr: error: --tls-cert, --tls-key: none.pem: No such file or directory (os error 2)
        exit code 1
    "#]]
    .assert_eq(&serve("--tls-cert none.pem --tls-key shop.key"));
    expect![[r#"
        stderr: error: --tls-cert, --tls-key: text.pem: has no certificate in PEM form, `-----BEGIN CERTIFICATE-----`
        exit code 2
    "#]]
    .assert_eq(&serve("--tls-cert text.pem --tls-key shop.key"));
    expect![[r#"
        stderr: error: --tls-cert, --tls-key: shop.pem: has no private key in PEM form, `-----BEGIN PRIVATE KEY-----`
        exit code 2
    "#]]
    .assert_eq(&serve("--tls-cert shop.pem --tls-key shop.pem"));
    expect![[r#"
        stderr: error: --tls-cert, --tls-key: other.key: the key does not belong to the certificate of shop.pem, whose first one must be the server's own
        exit code 2
    "#]]
    .assert_eq(&serve("--tls-cert shop.pem --tls-key other.key"));
    world.write(
        "locked.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    expect![[r#"
        stderr: error: --tls-cert, --tls-key: locked.key: the key is encrypted; decrypt it with `openssl pkey`
        exit code 2
    "#]]
    .assert_eq(&serve("--tls-cert shop.pem --tls-key locked.key"));
    let whole = std::fs::read_to_string(world.path("shop.pem")).expect("it was made");
    world.write("half.pem", &whole[..whole.len() / 2]);
    expect![[r#"
        stderr: error: --tls-cert, --tls-key: half.pem: is not valid PEM: a line `-----END …` is missing
        exit code 2
    "#]]
    .assert_eq(&serve("--tls-cert half.pem --tls-key shop.key"));
    world.write("wrong.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    expect![[r#"
        stderr: error: --tls-cert, --tls-key: wrong.pem: the certificate cannot be used: it is no X.509 certificate of version 3
        exit code 2
    "#]]
    .assert_eq(&serve("--tls-cert wrong.pem --tls-key shop.key"));
    assert!(
        world.files("data").is_empty()
            || !world.files("data/lake").iter().any(|name| name.contains("segment"))
    );
}

#[test]
fn an_expired_certificate_is_warned_about() {
    let world = World::new();
    make_certificate(&world, "shop");
    let mut server = Server::listening(&world, &[&FILES[..], &["--now", "2099-01-01T00:00:00Z"]].concat());
    wait_until("it is said", || said(&world).contains("shop.pem: the certificate expired at 20"));
    assert!(server.stop().success(), "{}", said(&world));
}
