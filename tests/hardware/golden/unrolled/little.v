`default_nettype none
// Written by sc-neurocore 0.1.0.
// Stochastic-computing spiking network little: 10-6-3, 37 time steps per image.
// Input: 10 values per image, in units of 2**-8. Output: a class, 55 clock cycles after the first value.
// Weights of 8 bits, potentials of 16 bits, architecture "unrolled".
module little (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire [7:0] in_data,
    output wire out_valid,
    input wire out_ready,
    output wire [1:0] out_class
);
    wire take, clear, step, last_step, class_valid;
    wire [9:0] x;
    sc_encoder #(
        .N_IN(10), .BITS(8), .SEQUENCE(8),
        .ROWS(64'b00000001_00000010_00000100_00001000_00010000_00100000_01000000_10000000),
        .SHIFT(8'b00001111)
    ) u_encoder (.clk(clk), .take(take), .value(in_data), .clear(clear), .step(step), .x(x));

    wire layer0_valid;
    wire [5:0] layer0_spike;
    /* verilator lint_off UNUSEDSIGNAL */    // hidden potentials, read by testbenches
    wire [95:0] layer0_v;
    /* verilator lint_on UNUSEDSIGNAL */
    little_layer0 u_layer0 (
        .clk(clk), .clear(clear), .step(step), .x(x),
        .valid(layer0_valid), .spike(layer0_spike), .v(layer0_v)
    );

    wire layer1_valid;
    wire [2:0] layer1_spike;
    wire [47:0] layer1_v;
    little_layer1 u_layer1 (
        .clk(clk), .clear(clear), .step(layer0_valid), .x(layer0_spike),
        .valid(layer1_valid), .spike(layer1_spike), .v(layer1_v)
    );

    sc_control #(
        .N_IN(10), .LENGTH(37), .COUNT(6), .PIPELINED(1)
    ) u_control (
        .clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .take(take), .clear(clear),
        .step(step), .step_done(layer1_valid), .last_step(last_step), .decided(1'b0), .class_valid(class_valid),
        .out_valid(out_valid), .out_ready(out_ready)
    );

    sc_readout #(
        .N(3), .SPIKES(6), .WORD(16), .CLASS(2)
    ) u_readout (
        .clk(clk), .clear(clear), .valid(layer1_valid), .last(last_step),
        .spike(layer1_spike), .v(layer1_v), .class_valid(class_valid), .best(out_class)
    );
endmodule

`default_nettype wire
