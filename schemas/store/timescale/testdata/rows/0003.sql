-- what the transformer station metered beyond the sites
update balances set station_residual_wh=12;
