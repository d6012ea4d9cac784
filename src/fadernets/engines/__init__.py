"""Encode and decode with ONNX Runtime alone, no training library: one engine a codec, one kind of model folder."""
