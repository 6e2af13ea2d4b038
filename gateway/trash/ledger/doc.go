// Package ledger is what the trash of a destination writes down on the storage and reads
// there: what it holds, under which marks packs lie, and notes. It decides nothing: what is
// deleted, purged or brought back, and when, is package trash's.
//
// # Layout
//
// All of it lies in one directory of the destination, named [Dir], which neither
// protocol serves or accepts:
//
//	rclone-gateway-trash/<app>/<uuid>/kept/<entry>    an object, moved there
//	rclone-gateway-trash/<app>/<uuid>/marks/<entry>   an empty mark: its pack lies where it was
//	rclone-gateway-trash/<app>/<uuid>/notes/<note>    an empty file whose name says all
//	rclone-gateway-trash/<app>/<uuid>/seen/           what was there at the last look
//
// An entry is named by its kind, its name, and three times in UTC: of its receipt,
// of its deletion, and of its expiry.
//
//	snapshots_<64 digits>_r20261129T200000.000Z_d20261130T081500.250000Z_e20261207T081500Z
//
// So an expiry is fixed with the deletion, whatever the setting becomes. No file in
// there is called "config", so that nothing in it passes for a repository, and no
// program that lists repositories by that name finds one.
package ledger
