`default_nettype none
// Written by sc-neurocore 0.1.0.
// Stochastic-computing spiking network little: 10-6-3, 37 time steps per image.
// Input: 10 values per image, in units of 2**-8. Output: a class, 825 clock cycles after the first value.
// Weights of 8 bits, potentials of 16 bits, architecture "folded"; 4 inputs of 2 neurons per clock cycle.
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
    wire take, clear, step, step_done, last_step, decided, class_valid;

    wire layer0_read;
    wire [1:0] layer0_address;
    wire [3:0] layer0_x;
    wire layer0_valid, layer0_done;
    wire [1:0] layer0_spike;
    /* verilator lint_off UNUSEDSIGNAL */    // hidden potentials, read by testbenches
    wire [1:0] layer0_group;
    wire [31:0] layer0_v;
    /* verilator lint_on UNUSEDSIGNAL */
    sc_image #(
        .N_IN(10), .SIMD(4), .BITS(8), .COLUMN(2), .SEQUENCE(8),
        .ROWS(64'b00000001_00000010_00000100_00001000_00010000_00100000_01000000_10000000),
        .SHIFT(8'b00001111)
    ) u_image (
        .clk(clk), .rst(rst), .drop(1'b0), .take(take), .value(in_data), .clear(clear), .next(layer0_done),
        .x_read(layer0_read), .x_address(layer0_address), .x_word(layer0_x)
    );
    little_layer0 u_layer0 (
        .clk(clk), .clear(clear), .step(step), .x_read(layer0_read), .x_address(layer0_address), .x_word(layer0_x),
        .valid(layer0_valid), .group(layer0_group), .spike(layer0_spike), .v(layer0_v),
        .done(layer0_done)
    );

    wire layer1_read;
    wire [0:0] layer1_address;
    wire [3:0] layer1_x;
    wire layer1_valid, layer1_done;
    wire [0:0] layer1_spike;
    wire [1:0] layer1_group;
    wire [15:0] layer1_v;
    sc_spikes #(
        .PE(2), .SIMD(4), .COLUMNS(2), .COLUMN(1)
    ) u_spikes1 (
        .clk(clk), .clear(clear), .valid(layer0_valid), .done(layer0_done), .spike(layer0_spike),
        .x_read(layer1_read), .x_address(layer1_address), .x_word(layer1_x)
    );
    little_layer1 u_layer1 (
        .clk(clk), .clear(clear), .step(layer0_done), .x_read(layer1_read), .x_address(layer1_address), .x_word(layer1_x),
        .valid(layer1_valid), .group(layer1_group), .spike(layer1_spike), .v(layer1_v),
        .done(layer1_done)
    );

    sc_control #(
        .N_IN(10), .LENGTH(37), .COUNT(6), .PIPELINED(0)
    ) u_control (
        .clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .take(take), .clear(clear),
        .step(step), .step_done(step_done), .last_step(last_step), .decided(decided), .class_valid(class_valid),
        .out_valid(out_valid), .out_ready(out_ready)
    );

    sc_readout_folded #(
        .N(3), .SPIKES(6), .WORD(16), .CLASS(2)
    ) u_readout (
        .clk(clk), .clear(clear), .valid(layer1_valid), .done(layer1_done), .last(last_step),
        .neuron(layer1_group), .spike(layer1_spike), .v(layer1_v), .step_done(step_done), .decided(decided), .class_valid(class_valid), .best(out_class)
    );
endmodule

`default_nettype wire
