#!/bin/sh
# `deploy/release/set-version.sh 0.2.0` gives the whole workspace this version. It is read from the root's
# pyproject.toml (images, manifests, changelog); the members repeat it, and a test holds all of them together.
set -eu
cd "$(dirname "$0")/../.."
expr "${1:-}" : '[0-9][0-9]*\.[0-9][0-9]*\.[0-9][0-9]*$' >/dev/null || {
    echo "usage: $0 MAJOR.MINOR.PATCH" >&2
    exit 2
}
for project in pyproject.toml shared/pyproject.toml services/*/pyproject.toml deploy/*/pyproject.toml; do
    sed "s/^version = \".*\"$/version = \"$1\"/" "$project" >"$project.new"
    cat "$project.new" >"$project"
    rm "$project.new"
done
release=deploy/k8s/overlays/production/kustomization.yaml
sed "s/newTag: &release [0-9.]*/newTag: \&release $1/" "$release" >"$release.new"
cat "$release.new" >"$release"
rm "$release.new"
.venv/bin/uv lock --quiet
echo "$1: now give CHANGELOG.md a section of this name"
