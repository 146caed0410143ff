# demo and check are the README's two commands; the others are for who measures or mends.

CARGO ?= cargo
TOPSELL := $(CARGO) run --release --locked --quiet --
PYTHON ?= python3
VENV := .venv
DEMO_LAKE := data/lake
BENCH := data/bench
INTEROP := data/interop

.PHONY: demo check bench soak interop figures clean

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
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items
	$(CARGO) test --locked --all-targets

# Compares with a peer on the same purchases, in the same run; see tests/bench/.
bench: $(VENV)/bench
	$(CARGO) build --release --locked
	$(VENV)/bin/python tests/bench/bench.py $(BENCH)

# Kills thousands of runs at random moments; the checks kill a few dozen.
soak:
	TOPSELL_KILL_ROUNDS=2000 PROPTEST_CASES=500 $(CARGO) test --locked --test it -- kill:: oracle::

# Reads both tables with readers that are not ours and compares the sums: of the demo's lake, and of
# one with a hundred and more commits behind it, merged and pruned.
interop: demo $(VENV)/interop
	$(VENV)/bin/python tests/interop/history.py "$(TOPSELL)" data/complete-journey $(INTEROP)
	$(VENV)/bin/python tests/interop/interop.py $(DEMO_LAKE) --expect-events 57401 --expect-units 4801143 --expect-amount 171618.91

# Compares every row of the demo's ranking with figures computed apart from the program.
figures: demo $(VENV)/interop
	$(VENV)/bin/python tests/independent/figures.py --compare $(DEMO_LAKE)/rankings/current.json

$(VENV)/%: tests/%/requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --requirement $<
	touch $@

clean:
	rm -rf $(DEMO_LAKE) $(BENCH) $(INTEROP) $(VENV)
