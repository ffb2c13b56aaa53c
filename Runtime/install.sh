# What Runtime/up and Tests/run share: the packages of Runtime/packages, the toolchain and the build. Sourced, not run;
# the caller has `set -euo pipefail` and has set `root` to the project's folder.
# shellcheck shell=bash
set -euo pipefail
: "${root:?must be set to the folder of the project}"

# The oldest Swift that can build Taibai.
swift_needed=6.3

# say TEXT: a line about what happens now, apart from what programs print.
say() { printf '\n== %s\n' "$*"; }

# die TEXT...: ends the script with a reason, one line an argument.
die() {
    printf 'error: %s\n' "$1" >&2
    shift
    if (($#)); then printf '       %s\n' "$@" >&2; fi
    exit 1
}

# packages_of SECTION: the names in one section of Runtime/packages.
packages_of() {
    awk -v wanted="[$1]" '
        { sub(/#.*/, ""); gsub(/[[:space:]]/, "") }
        /^\[/ { here = $0 == wanted; next }
        here && $0 != ""
    ' "$root/Runtime/packages"
}

# missing_packages NAME...: those that are not installed.
missing_packages() {
    local name
    for name in "$@"; do
        # shellcheck disable=SC2016 # the format is dpkg's, not ours
        [[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" == installed ]] || printf '%s\n' "$name"
    done
}

# install_packages SECTION...: installs what is missing, and says nothing when that is nothing.
install_packages() {
    local section names=() missing=()
    for section in "$@"; do mapfile -t -O "${#names[@]}" names < <(packages_of "$section"); done
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        say "This is no Debian, so nothing is installed. Needed are the likes of: ${names[*]}"
        return
    fi
    mapfile -t missing < <(missing_packages "${names[@]}")
    ((${#missing[@]})) || return 0

    say "Installing with apt: ${missing[*]}"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
    if ((EUID != 0)); then
        # Without a terminal sudo can't ask for a password, and would fail later with less to go on.
        if ! command -v sudo >/dev/null || { [[ ! -t 0 ]] && ! sudo -n true 2>/dev/null; }; then
            die "these packages are missing, and installing them takes root or sudo, which I have neither of." \
                "Have this run by somebody who has, then start me again:" \
                "apt-get install --no-install-recommends ${missing[*]}"
        fi
        apt=(sudo "${apt[@]}")
    fi
    "${apt[@]}" update
    "${apt[@]}" install --no-install-recommends "${missing[@]}"
}

# check_swift: ends the script unless there is a toolchain that can build Taibai.
check_swift() {
    local how="Install it from https://www.swift.org/install/linux/ and see that \`swift\` is on the PATH."
    local needed="Swift $swift_needed or newer is needed"
    local version
    command -v swift >/dev/null || die "$needed, and there is no \`swift\` on the PATH." "$how"
    version="$(swift --version 2>&1 | sed -nE 's/.*Swift version ([0-9]+(\.[0-9]+)*).*/\1/p' | head -n 1)"
    [[ -n "$version" ]] || die "$needed, and $(command -v swift) does not tell its version." "$how"
    if [[ "$(printf '%s\n' "$swift_needed" "$version" | sort -V | head -n 1)" != "$swift_needed" ]]; then
        die "$needed, and $(command -v swift) is $version." "$how"
    fi
}

# build_release: builds the product; sets `binary` to its path.
build_release() {
    local build=(swift build --package-path "$root" -c release --product taibai --static-swift-stdlib)
    say "Building taibai (release; the first time takes some minutes)"
    "${build[@]}"
    binary="$("${build[@]}" --show-bin-path)/taibai"
    [[ -x "$binary" ]] || die "the build has left no program at $binary"
}
