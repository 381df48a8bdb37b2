"""From witnesses to a verdict: what each of them says of a host, how far it is believed, what proves a death."""
