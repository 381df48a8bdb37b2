# The lab's targets; included by the top Makefile.
LAB_PYTHON ?= /usr/bin/python3
HOSTS ?= 4
INTERVALS ?= fast

.PHONY: lab lab-down lab-install

lab: ## a real OpenStack with HOSTS=4 hosts, INTERVALS=fast|default
	@$(LAB_PYTHON) -m lab up --hosts $(HOSTS) --intervals $(INTERVALS)

lab-down: ## stop the lab
	@$(LAB_PYTHON) -m lab down

lab-install: ## install what the lab needs, nothing more
	@$(LAB_PYTHON) -m lab install
