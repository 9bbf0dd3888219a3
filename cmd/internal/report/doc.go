// Package report writes a resident's monthly report, as a page and as a PDF of one sheet, in French or English, from [Data] alone.
//
// # What it says, and what it does not
//
// Two figures stand apart and are never summed: the effect of shared energy on the bill, which follows from meters and contracts, and the energy avoided against a
// comparison, which is an estimate with an interval. The word for saving is used for the second only where the interval excludes zero and the model passed its test. A
// month's figures of the district are its electricity as metered; whether it is a positive-energy district is a question of twelve months and a declared profile.
// Daily figures appear only for members who agreed to their load curve being kept; there is no comparison with neighbours.
//
// # Rendering
//
// [RenderHTML] writes one self-contained accessible page that prints on A4; [RenderPDF] draws the same content with embedded fonts, in this process. Both are pure: the
// same data gives the same bytes. The texts stand in catalogue.go, once per language. Energies are whole watt-hours, money is EUR, carbon kg CO2e.
package report
