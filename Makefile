# make demo | make test | make acceptance. Python 3.11 to 3.13 is all that must be there; the rest goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := chrombpnet_core tasks flows

# Trust the certificates that the machine trusts, as pip does.
export UV_SYSTEM_CERTS := true
# Python may not be allowed to write bytecode later, and then every start would compile TensorFlow and Prefect anew.
export UV_COMPILE_BYTECODE := true

.PHONY: demo test lint format acceptance clients bench-preprocess bench-train bench-explain bench-cli bench-gpu bench-overhead bench-orchestration bench-variants install lock image-base terraform-lock clean

demo: $(VENV)/installed
	$(BIN)/chrombpnet demo -o demo_output --store demo_output/store

test: lint
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/tested
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check .
	$(BIN)/pydoclint $(PACKAGES)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/tested
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# A client that cannot be installed fails its own tests, which tell why, and no others.
acceptance: $(VENV)/tested
	-$(MAKE) --keep-going clients
	$(BIN)/pytest tests/acceptance -o addopts="-q --strict-markers -p no:cacheprovider -rs" -s

# Other people's readers and writers of model files and contributions, and what checks infra/, each in an environment of its own.
CLIENTS := .venv-tf-keras .venv-keras2 .venv-bpnet-lite .venv-finemo .venv-checkov .venv-vertex .venv-variant-scorer
LOGGED = >$(@D)/log 2>&1 || (cat $(@D)/log; false)

clients: $(CLIENTS:%=%/installed)

.venv-tf-keras/installed: | $(VENV)/uv
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	$(BIN)/uv pip install --quiet --python $(@D)/bin/python tensorflow==2.21.0 tf_keras==2.21.0 $(LOGGED)
	touch $@

# The last Keras 2, which needs Python 3.11 or older.
.venv-keras2/installed: | $(VENV)/uv
	$(BIN)/uv venv --quiet --clear --python 3.11 $(@D)
	$(BIN)/uv pip install --quiet --python $(@D)/bin/python tensorflow-cpu==2.15.1 $(LOGGED)
	touch $@

# By pip, which can be told to take a CPU build of torch (pip.conf: find-links); uv would not look there.
.venv-bpnet-lite/installed: | $(VENV)/uv
	$(BIN)/python -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 bpnet-lite==1.1.0 $(LOGGED)
	touch $@

.venv-finemo/installed: | $(VENV)/uv
	$(BIN)/python -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 finemo==0.41 $(LOGGED)
	touch $@

.venv-checkov/installed: | $(VENV)/uv
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	$(BIN)/uv pip install --quiet --python $(@D)/bin/python checkov==3.3.30 $(LOGGED)
	touch $@

.venv-vertex/installed: | $(VENV)/uv
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	$(BIN)/uv pip install --quiet --python $(@D)/bin/python --constraint constraints.txt prefect==3.8.8 \
	    'prefect-gcp[aiplatform]==0.6.22' $(LOGGED)
	touch $@

# Of its repository; elsewhere with VARIANT_SCORER=<address>.
VARIANT_SCORER ?= https://github.com/kundajelab/variant-scorer

.venv-variant-scorer/installed: | $(VENV)/uv
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	$(BIN)/uv pip install --quiet --python $(@D)/bin/python tensorflow-cpu==2.21.0 tf_keras==2.21.0 \
	    tensorflow_probability==0.25.0 numpy==2.2.6 pandas==2.3.3 scipy==1.17.1 tqdm==4.70.1 pyfaidx==0.9.0.3 \
	    deeplift==0.6.13.0 pybedtools==0.12.0 $(LOGGED)
	git clone --quiet --no-checkout $(VARIANT_SCORER) $(@D)/variant-scorer
	git -C $(@D)/variant-scorer checkout --quiet 0e1e341 -- src
	touch $@

# After a change of dependencies: the image's pins, with hashes; those of uv itself, which installs them.
UV_VERSION := 0.13.9

lock: $(VENV)/installed
	$(BIN)/uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --extra gpu --extra jax \
	    --extra s3 --constraint constraints.txt --generate-hashes --no-header --only-binary :all: pyproject.toml \
	    infra/image.in -o infra/image.lock
	echo uv==$(UV_VERSION) | $(BIN)/uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
	    --no-annotate --generate-hashes --no-header --only-binary :all: - -o infra/uv.lock

# The image that ours begins with, by the digest that the registry has for its tag today. Needs docker with buildx.
BASE ?= $(shell sed -n 's|^FROM docker.io/library/python:\([^@ ]*\)@.*|\1|p' infra/Dockerfile | head -n 1)

image-base:
	digest=$$(docker buildx imagetools inspect "docker.io/library/python:$(BASE)" --format '{{.Manifest.Digest}}') && \
	    expr "$$digest" : 'sha256:[0-9a-f]\{64\}$$' >/dev/null && \
	    sed -i "s|^FROM docker.io/library/python:[^ ]*|FROM docker.io/library/python:$(BASE)@$$digest|" infra/Dockerfile && \
	    grep '^FROM' infra/Dockerfile

# Versions and hashes of Terraform's providers, for the machines of whoever applies it. Needs terraform 1.11 or newer.
terraform-lock:
	terraform -chdir=infra/terraform providers lock -platform=linux_amd64 -platform=linux_arm64 -platform=darwin_arm64 \
	    -platform=darwin_amd64 -platform=windows_amd64

# Against bedtools (apt-get install bedtools) and bam2bw, which gets an environment of its own. For a step alone, or a small
# trial: .venv/bin/python benchmarks/preprocess.py --only background --scale 0.02
bench-preprocess: $(VENV)/installed .venv-bam2bw/installed
	$(BIN)/python benchmarks/preprocess.py

.venv-bam2bw/installed: | $(VENV)/uv
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-bam2bw
	$(BIN)/uv pip install --quiet --python .venv-bam2bw/bin/python bam2bw==0.5.1
	touch $@

# On the CPU, against tf_keras 2 and PyTorch. A small trial: .venv/bin/python benchmarks/train.py --repeats 1 --seconds 2
bench-train: $(VENV)/tested .venv-tf-keras/installed .venv-bpnet-lite/installed
	$(BIN)/python benchmarks/train.py

# DeepSHAP on the CPU, against tangermeme.
bench-explain: $(VENV)/installed .venv-tangermeme/installed
	$(BIN)/python benchmarks/explain.py

.venv-tangermeme/installed: | $(VENV)/uv
	$(BIN)/python -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 tangermeme==1.6.0 $(LOGGED)
	touch $@

# Where there is a GPU: uv pip install 'jax[cuda12]' before. A trial without one: .venv/bin/python benchmarks/gpu_suite.py --trial
# TensorFlow: uv pip install '.[gpu]', then .venv/bin/python benchmarks/gpu.py
bench-gpu: $(VENV)/installed
	$(BIN)/python benchmarks/gpu_suite.py

# Against allele by allele with model.predict; memory of 1,000,000 variants.
bench-variants: $(VENV)/installed
	$(BIN)/python benchmarks/variants.py

# First words of every command, plans, status, reports. Without the demo, a minute: .venv/bin/python benchmarks/commands.py --no-reports
bench-cli: $(VENV)/installed
	$(BIN)/python benchmarks/commands.py

# What Prefect and an object store cost: the demo's job from an emulator to an emulator, against the bodies of its steps.
# A trial: .venv/bin/python benchmarks/overhead.py --tiny --repeats 1
bench-overhead: $(VENV)/installed
	$(BIN)/python benchmarks/overhead.py

# 1,000 data sets of five folds, steps replaced by stubs, through a Prefect server on PostgreSQL (apt-get install postgresql).
# Some 45 minutes on two cores; a trial: .venv/bin/python benchmarks/orchestration.py --datasets 20 --processes 5
bench-orchestration: $(VENV)/tested
	$(BIN)/python benchmarks/orchestration.py

install: $(VENV)/installed

$(VENV)/uv:
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "Python 3.11 to 3.13 is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	touch $@

$(VENV)/installed: $(VENV)/uv pyproject.toml constraints.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable .
	touch $@

$(VENV)/tested: $(VENV)/installed
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --group dev
	touch $@

clean:
	rm -rf $(VENV) $(CLIENTS) .venv-bam2bw .venv-tangermeme .bench demo_output
