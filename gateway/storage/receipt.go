package storage

// SavedByNode is what the record of a snapshot holds that a node saved.
const SavedByNode = "node"

// NodeReceipt is where it is kept that a node saved a snapshot. Restic does not look
// there, and modules cannot write there. Its name is not that of a content: stores take
// one of 64 digits for the hash of what they are given.
func NodeReceipt(repo, snapshot string) string {
	return repo + "/receipts/" + snapshot + "." + SavedByNode
}
