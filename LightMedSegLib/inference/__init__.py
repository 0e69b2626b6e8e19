"""From a volume and a model to labels on the volume's grid."""
