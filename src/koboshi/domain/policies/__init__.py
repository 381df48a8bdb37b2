"""What is wanted for a server, by whoever may say so: its owner, its image's maker, the operator."""
