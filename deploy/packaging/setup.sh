#!/usr/bin/env bash
# Make sure that the Debian packages named in the file $1 are there: root installs what is missing, anybody else is
# told the one line that does.
set -euo pipefail

missing=()
while read -r package; do
        [ -n "$package" ] || continue
        [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = 'install ok installed' ] || missing+=("$package")
done <"$1"
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
        {
                echo "Packages are missing. Run this once, then make again:"
                echo "  sudo apt-get install -y --no-install-recommends ${missing[*]}"
        } >&2
        exit 1
fi
echo "installing: ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
install=(apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)
# Lists may be missing or old on a fresh machine: look again before giving up.
"${install[@]}" "${missing[@]}" >/dev/null 2>&1 || { apt-get update -qq -o DPkg::Lock::Timeout=300 && "${install[@]}" "${missing[@]}" >/dev/null; }
