"""The cloud as it was last seen: what its API tells, where its hosts stand, whose disks lie where."""
