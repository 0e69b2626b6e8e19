"""Models as data: the card and its rules, the package, the store and its versions, and which model suits a scan."""
