"""What is checked and how: the settings of a target, from options, environment and its TOML file."""
