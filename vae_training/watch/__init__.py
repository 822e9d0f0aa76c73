"""What a run reports while it trains: journal, boards, picture grids, speed, faults."""
