"""Never a storm: the brake, the control plane's brownouts, and whether Koboshi may act at all."""
