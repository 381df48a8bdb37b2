"""One loop: observe, decide, journal, execute. It knows ports, not what stands behind them."""
