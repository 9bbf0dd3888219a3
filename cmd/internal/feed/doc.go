// Package feed gets what others publish: weather, day-ahead prices and the carbon intensity of the grid.
//
// A [Source] says where a document is and how it is read, into a [Bulletin]; a [Feed] fetches it again and again, keeps the last document on disk, and gives the values that it has. It never blocks who asks:
// what is not published, or not yet, or no longer because the source is silent, is said to be absent, and its user falls back to what it can foresee itself. The same readers serve files, see
// [ReadOpenMeteo], [ReadEntsoe] and [ReadEco2mix].
//
// No address with a token in it leaves the package, in an error or otherwise.
package feed
