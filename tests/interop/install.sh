#!/usr/bin/env bash
# Installs what the interop tests meet, from Debian's packages. Needs root. Does nothing, and quickly,
# when all of it is there.
set -euo pipefail

packages=(
  iproute2     # ip: network namespaces
  nftables     # nft: the routers' NAT
  sip-tester   # sipp
  baresip-core # baresip
  tshark       # a second opinion on our captures
  coturn       # turnutils_uclient, turnutils_peer, turnserver
)

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
[ "${#missing[@]}" -eq 0 ] && exit 0

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq --yes --no-install-recommends "${missing[@]}"
