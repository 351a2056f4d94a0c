#!/usr/bin/env bash
# Installs what the interop tests meet, from Debian's packages and the Python package index. Needs root. Does nothing, and quickly,
# when all of it is there.
set -euo pipefail

packages=(
  iproute2     # ip: network namespaces
  nftables     # nft: the routers' NAT
  sip-tester   # sipp
  baresip-core # baresip
  chromium     # shows the demo's page
  tshark       # a second opinion on our captures
  coturn       # turnutils_uclient, turnutils_peer, turnutils_natdiscovery, turnserver
  stun-client  # stun, of RFC 3489
  miniupnpd-nftables # a home router: UPnP, NAT-PMP and PCP
  miniupnpc    # upnpc
  natpmpc
  prosody      # an XMPP server
  profanity    # an XMPP client for terminals
  tmux         # the terminals
  curl         # asks the core what it has counted
  python3-venv # for slixmpp
)

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -qq --yes --no-install-recommends "${missing[@]}"
fi

# slixmpp, an XMPP client in Python, in an environment of its own.
here=$(dirname "$0")
environment=$here/../../target/interop/slixmpp
wanted=$here/slixmpp/requirements.txt
if ! cmp -s "$wanted" "$environment/installed.txt"; then
  python3 -m venv --clear "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
  cp "$wanted" "$environment/installed.txt"
fi
