//! Miniupnpd on a router of a network of namespaces.

use std::fs;

use tempfile::TempDir;

use crate::harness::net::Host;
use crate::harness::process::Process;

/// Where it puts its rules, beside the router's own, which let through what they translate.
const CHAINS: &str = "
    table inet miniupnpd {
      chain forward {
        type filter hook forward priority -5;
        jump miniupnpd
      }
      chain miniupnpd { }
      chain prerouting {
        type nat hook prerouting priority -100;
        jump prerouting_miniupnpd
      }
      chain prerouting_miniupnpd { }
      chain postrouting {
        type nat hook postrouting priority 90;
        jump postrouting_miniupnpd
      }
      chain postrouting_miniupnpd { }
    }
    add rule ip wayleave through ct status dnat accept";

/// The daemon, running.
pub(super) struct Upnpd {
    process: Process,
    _folder: TempDir,
}

impl Upnpd {
    /// Makes room for its rules on `router`.
    pub(super) fn prepare(router: &Host) {
        router.filter(CHAINS);
    }

    /// Starts it on `router`, whose network inside is the `n`th; `external` is its address outside, if
    /// not its interface's own.
    pub(super) fn start(router: &Host, n: u8, external: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let external = external.map_or_else(String::new, |ip| format!("ext_ip={ip}"));
        let config = format!(
            "ext_ifname=eth0\n{external}\nlistening_ip=lan\nhttp_port=5000\n\
             enable_natpmp=yes\nenable_upnp=yes\nsecure_mode=no\nsystem_uptime=no\n\
             min_lifetime=8\nmax_lifetime=86400\nnotify_interval=60\nclean_ruleset_interval=600\n\
             uuid=aa48f0b3-4053-4f27-b522-c033754e35df\nserial=12345678\nmodel_number=1\n\
             friendly_name=The attic\nupnp_table_name=miniupnpd\nupnp_nat_table_name=miniupnpd\n\
             upnp_forward_chain=miniupnpd\nupnp_nat_chain=prerouting_miniupnpd\n\
             upnp_nat_postrouting_chain=postrouting_miniupnpd\n\
             allow 1024-65535 192.168.{n}.0/24 1024-65535\ndeny 0-65535 0.0.0.0/0 0-65535\n"
        );
        let file = folder.path().join("miniupnpd.conf");
        fs::write(&file, config).expect("a file");
        let mut command = router.command("miniupnpd");
        command.args(["-d", "-f"]).arg(&file).arg("-P").arg(folder.path().join("pid"));
        let mut process = Process::start("miniupnpd", command);
        process.wait_for("Listening for NAT-PMP/PCP traffic");
        Self { process, _folder: folder }
    }

    /// Waits until it is asked for the mapping of `port` by `protocol`, once more.
    pub(super) fn is_asked(&mut self, protocol: &str, port: &str) {
        let by = |line: &str| match protocol {
            // 24 octets are an ANNOUNCE.
            "PCP" => line.contains("PCP request received") && line.contains("60bytes"),
            "NAT-PMP" => line.contains(&format!("NAT-PMP port mapping request : {port}->")),
            _ => line.contains("AddPortMapping: ext port") && line.contains(port),
        };
        self.process.wait_until(&format!("request by {protocol}"), by);
    }
}
