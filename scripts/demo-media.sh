#!/bin/bash
# Gathers real media from Debian packages: `demo-media.sh FOLDER`. Downloads about 80 MB once, installs nothing.
#
# Leaves FOLDER/files/<group>/..., where the group says what kind of material it is, and prints nothing if all went
# well. A package that cannot be had is named; whether what is there suffices is for the caller to say.
set -euo pipefail
folder="$1"

# group, package, what of it: a pattern of paths, and how many files of each extension at most
packages=(
    'samples  forensics-samples-files   */forensics-samples/*    40'
    'photos   gnome-backgrounds         */backgrounds/*          40'
    'sounds   sound-theme-freedesktop   */sounds/*               40'
    'sounds   alsa-utils                */sounds/*               40'
    'music    lmms-common               */samples/*              40'
    'games    python-pygame-doc         */examples/*             40'
    'icons    adwaita-icon-theme        */Adwaita/*              40'
    'manuals  debian-reference-en       */share/*                20'
    'office   r-cran-readxl             */extdata/*              40'
    'office   r-cran-readr              */extdata/*              40'
    'office   r-cran-officer            */officer/[dt]*          40'
)

if [ -e "$folder/complete" ]; then
    exit 0
fi
for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || { echo "demo: $tool is missing; the media come from Debian packages" >&2; exit 1; }
done
rm -rf "$folder"
mkdir -p "$folder/packages" "$folder/files"

download() { (cd "$folder/packages" && apt-get download -qq -o APT::Sandbox::User=root "$1" >/dev/null 2>&1); }

updated=no
complete=yes
for line in "${packages[@]}"; do
    read -r group package pattern most <<<"$line"
    if ! download "$package"; then
        if [ "$updated" = no ] && [ "$(id -u)" = 0 ]; then
            updated=yes
            apt-get update -qq >/dev/null 2>&1 || true
        fi
        if ! download "$package"; then
            echo "demo: the package $package could not be downloaded; going on without it" >&2
            complete=no
            continue
        fi
    fi
    unpacked="$folder/unpacked"
    dpkg-deb -x "$folder/packages/${package}"_*.deb "$unpacked"
    mkdir -p "$folder/files/$group"
    # Regular files of some bytes, names that need no quoting; the first of each extension.
    (cd "$unpacked" && find . -type f -size +0 -path "$pattern" -regex '[A-Za-z0-9_./ +-]*' \
        -regex '.*/[^/]+\.[A-Za-z0-9]+' | LC_ALL=C sort) |
        awk -v most="$most" '{ n = split($0, part, "."); if (seen[tolower(part[n])]++ < most) print }' |
        while IFS= read -r file; do
            install -D -m 0644 "$unpacked/$file" "$folder/files/$group/$package/${file#./}"
        done
    rm -rf "$unpacked"
done
rm -rf "$folder/packages"
if [ "$complete" = yes ]; then
    touch "$folder/complete"
fi
