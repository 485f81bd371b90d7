"""ls_cli: the console command ``ls-engine`` and the demonstration. Stands above every other package."""
