// Package trash keeps what is removed from repositories for a while. [Store] wraps a
// [storage.Store]: to remove a pack, an index, a snapshot, a key or a config makes it
// invisible and leaves it where it can be brought back from. Locks and all that is in
// no repository are removed as ever.
//
// Here is what is done with the trash: to put something into it, purge it, bring it back,
// roll a repository back and show it as it was. What lies on the storage, and by which
// names, is package ledger's.
//
// # Two ways
//
// Where a store renames (see [storage.Mover]), every object is renamed. Where it
// copies, as buckets do, a pack stays where it is under a mark, which is one upload,
// and only the small kinds are copied. A mark hides its pack as long as the pack is
// not newer: one that is uploaded again, by whomever, is there again. Both are
// stamped by the same clock, that of the storage. A process knows the marks that it
// made or saw in a list: by those it answers requests for one pack, without a request
// of its own; lists always look.
//
// Lists of a directory above a repository have the packs under marks too, for whoever
// counts what a destination holds.
package trash
