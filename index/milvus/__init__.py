"""Collections on Milvus: in a file of Milvus Lite, or on a cluster. Start at `index.milvus.store`."""
