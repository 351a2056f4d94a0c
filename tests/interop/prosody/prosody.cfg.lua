-- Prosody for one test. The words between @ are filled in.
data_path = "@FOLDER@/data"
pidfile = "@FOLDER@/prosody.pid"
run_as_root = true
interfaces = { "@IPV4@", "@IPV6@" }
c2s_ports = { 5222 }
c2s_direct_tls_ports = { 5223 }
s2s_ports = {}
plugin_paths = { "@PLUGINS@" }
modules_enabled = { "roster", "saslauth", "tls", "tls_exporter", "disco", "ping", "posix" }
modules_disabled = { "s2s", "http" }
allow_registration = false
c2s_require_encryption = true
authentication = "internal_hashed"
password_hash = "SHA-256"
storage = "internal"
log = { info = "*console" }
ssl = { certificate = "@FOLDER@/cert.pem", key = "@FOLDER@/key.pem" }
VirtualHost "example.test"
