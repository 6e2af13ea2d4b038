package storage

// SavedByNode is the content of the receipt of a snapshot that a node saved.
const SavedByNode = "node"

// NodeReceipt returns the name of a receipt, which records that a node saved a snapshot.
// Restic does not read it, and modules cannot write it. It has no 64 digits, which stores
// would take for the hash of the content.
func NodeReceipt(repo, snapshot string) string {
	return repo + "/receipts/" + snapshot + "." + SavedByNode
}
