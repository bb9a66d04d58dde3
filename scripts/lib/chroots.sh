# shellcheck shell=bash
#
# Other releases of Debian in chroots, for scripts/matrix, which has a mount namespace of its own.
#
#   chroots_setup                  see that debootstrap is there
#   chroot_of SUITE                make it where it isn't there yet, mount what it needs; print its directory
#   chroot_fresh SUITE             the same, a copy that nothing has been installed in
#   chroot_with_server MAJOR       one with that PostgreSQL, its wal2json, and this machine's user of the server
#   chroot_enter DIR USER COMMAND  run it there in USER's ~/pgnudge, as on a machine of its own

MATRIX_DIR=${MATRIX_DIR:-/var/tmp/pgnudge-matrix}

chroots_setup() {
    command -v debootstrap >/dev/null || {
        echo 'matrix: installing debootstrap with apt, to make the chroots'
        apt-get -qq update
        apt-get -qq install -y --no-install-recommends debootstrap >/dev/null 2>&1
    }
    mkdir -p "$MATRIX_DIR"
}

# Kept pristine; what is used is a copy.
_chroot_base() {
    local base=$MATRIX_DIR/$1 scripts=/usr/share/debootstrap/scripts script=()
    [[ ! -f $base/made ]] || return 0
    # The release after the one that this debootstrap knows is made like sid.
    [[ -e $scripts/$1 ]] || script=('' "$scripts/sid")
    rm -rf "$base"
    debootstrap --variant=minbase "$1" "$base" "${script[@]}" >&2 || return 1
    # An old release's list has expired, and is still the right one.
    echo 'Acquire::Check-Valid-Until "false";' >"$base/etc/apt/apt.conf.d/99matrix"
    # Nothing that is installed starts.
    printf '%s\n' '#!/bin/sh' 'exit 101' >"$base/usr/sbin/policy-rc.d"
    chmod +x "$base/usr/sbin/policy-rc.d"
    touch "$base/made"
}

_chroot_mount() {
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
}

# _chroot_copy SUITE DIR
_chroot_copy() {
    _chroot_base "$1" || return 1
    rm -rf "$2"
    cp -a --reflink=auto "$MATRIX_DIR/$1" "$2"
    cp /etc/resolv.conf /etc/hosts "$2/etc/"
    _chroot_mount "$2"
    chroot "$2" apt-get -qq update >&2
}

chroot_fresh() {
    _chroot_copy "$1" "$MATRIX_DIR/$1-system" || return 1
    echo "$MATRIX_DIR/$1-system"
}

_suite_of() {
    case $1 in
        13) echo bullseye ;;
        15) echo bookworm ;;
        17) echo trixie ;;
        18) echo forky ;;
        19) echo sid ;;
        *)
            echo "matrix: no Debian is known to have PostgreSQL $1; name its programs by PGBIN_$1=DIR" >&2
            return 1
            ;;
    esac
}

chroot_with_server() {
    local root=$MATRIX_DIR/server-$1 suite user=postgres >&2
    suite=$(_suite_of "$1") || return 1
    if [[ -f $root/served ]]; then
        _chroot_mount "$root"
    else
        _chroot_copy "$suite" "$root" || return 1
        _chroot_server "$1" "$root" >&2 || return 1
        touch "$root/served"
    fi
    id postgres >/dev/null 2>&1 || user=nobody
    chroot "$root" usermod -o -u "$(id -u $user)" postgres >&2
    chroot "$root" groupmod -o -g "$(id -g $user)" postgres >&2
    mount --rbind /tmp "$root/tmp"
    echo "$root"
}

_chroot_server() {
    local packages=("postgresql-$1" "postgresql-$1-wal2json")
    mkdir -p "$2/etc/postgresql-common/createcluster.d"
    echo 'create_main_cluster = false' >"$2/etc/postgresql-common/createcluster.d/matrix.conf"
    export DEBIAN_FRONTEND=noninteractive
    if (($1 >= 19)); then
        sed 's/ sid / experimental /' "$2/etc/apt/sources.list" >"$2/etc/apt/sources.list.d/experimental.list"
        chroot "$2" apt-get -qq update || return 1
        chroot "$2" apt-get -qq install -y --no-install-recommends postgresql-common || return 1
        packages=({"postgresql-$1","postgresql-client-$1",libpq5}/experimental)
    fi
    chroot "$2" apt-get -qq install -y --no-install-recommends "${packages[@]}"
}

# With pivot_root, so that namespaces of users can be made there.
chroot_enter() {
    # shellcheck disable=SC2016 # expands in the inner shell
    unshare -m --propagation private bash -c '
        mount --rbind "$1" "$1" && cd "$1" && mkdir -p old && pivot_root . old && umount -l old &&
            exec su - "$2" -c "cd ~/pgnudge && $3"' enter "$1" "$2" "${*:3}"
}
