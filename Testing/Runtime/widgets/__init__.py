"""The ctk and qMRML widgets that a scripted module needs, emulated over Qt's own and bound to the real scene."""
