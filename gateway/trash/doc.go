// Package trash keeps what is removed from repositories for a while. [Store] wraps a
// [storage.Store]: to remove a pack, an index, a snapshot, a key or a config makes it
// invisible and leaves it where it can be brought back from. Locks and all that is in
// no repository are removed as ever.
//
// # Layout
//
// All of it lies in one directory of the destination, named [Dir], which neither
// protocol serves or accepts:
//
//	rclone-gateway-trash/<app>/<uuid>/kept/<entry>    an object, moved there
//	rclone-gateway-trash/<app>/<uuid>/marks/<entry>   an empty mark: its pack lies where it was
//	rclone-gateway-trash/<app>/<uuid>/notes/<note>    an empty file whose name says all
//
// An entry is named by its kind, its name, and three times in UTC: of its receipt,
// of its deletion, and of its expiry.
//
//	snapshots_<64 digits>_r20261129T200000.000Z_d20261130T081500.250000Z_e20261207T081500Z
//
// So an expiry is fixed with the deletion, whatever the setting becomes. No file in
// there is called "config", so that nothing in it passes for a repository, and no
// program that lists repositories by that name finds one.
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
