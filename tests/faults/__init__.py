"""Commands that are killed, starved or lied to, in child processes; the next identical command must make it whole."""
