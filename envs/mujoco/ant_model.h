// The ant as MuJoCo reads it (MJCF).
#pragma once

inline const char* const ant_xml = R"(<mujoco>
  <compiler angle="degree"/>
  <option integrator="RK4" timestep="0.01"/>
  <default>
    <joint armature="1" damping="1" limited="true"/>
    <geom conaffinity="0" condim="3" density="5" friction="1 0.5 0.5" margin="0.01"/>
    <motor ctrllimited="true" ctrlrange="-1 1"/>
  </default>
  <worldbody>
    <geom type="plane" size="40 40 1" conaffinity="1"/>
    <body name="torso" pos="0 0 0.75">
      <joint name="root" type="free" damping="0" armature="0" margin="0.01" limited="false"/>
      <geom size="0.25"/>
      <body name="front_left_leg">
        <geom type="capsule" fromto="0 0 0 0.2 0.2 0" size="0.08"/>
        <body name="aux_1" pos="0.2 0.2 0">
          <joint name="hip_1" axis="0 0 1" range="-30 30"/>
          <geom type="capsule" fromto="0 0 0 0.2 0.2 0" size="0.08"/>
          <body name="link1" pos="0.2 0.2 0">
            <joint name="ankle_1" axis="-1 1 0" range="30 70"/>
            <geom type="capsule" fromto="0 0 0 0.4 0.4 0" size="0.08"/>
          </body>
        </body>
      </body>
      <body name="front_right_leg">
        <geom type="capsule" fromto="0 0 0 -0.2 0.2 0" size="0.08"/>
        <body name="aux_2" pos="-0.2 0.2 0">
          <joint name="hip_2" axis="0 0 1" range="-30 30"/>
          <geom type="capsule" fromto="0 0 0 -0.2 0.2 0" size="0.08"/>
          <body name="link2" pos="-0.2 0.2 0">
            <joint name="ankle_2" axis="1 1 0" range="-70 -30"/>
            <geom type="capsule" fromto="0 0 0 -0.4 0.4 0" size="0.08"/>
          </body>
        </body>
      </body>
      <body name="back_leg">
        <geom type="capsule" fromto="0 0 0 -0.2 -0.2 0" size="0.08"/>
        <body name="aux_3" pos="-0.2 -0.2 0">
          <joint name="hip_3" axis="0 0 1" range="-30 30"/>
          <geom type="capsule" fromto="0 0 0 -0.2 -0.2 0" size="0.08"/>
          <body name="link3" pos="-0.2 -0.2 0">
            <joint name="ankle_3" axis="-1 1 0" range="-70 -30"/>
            <geom type="capsule" fromto="0 0 0 -0.4 -0.4 0" size="0.08"/>
          </body>
        </body>
      </body>
      <body name="right_back_leg">
        <geom type="capsule" fromto="0 0 0 0.2 -0.2 0" size="0.08"/>
        <body name="aux_4" pos="0.2 -0.2 0">
          <joint name="hip_4" axis="0 0 1" range="-30 30"/>
          <geom type="capsule" fromto="0 0 0 0.2 -0.2 0" size="0.08"/>
          <body name="link4" pos="0.2 -0.2 0">
            <joint name="ankle_4" axis="1 1 0" range="30 70"/>
            <geom type="capsule" fromto="0 0 0 0.4 -0.4 0" size="0.08"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="hip_4" gear="150"/>
    <motor joint="ankle_4" gear="150"/>
    <motor joint="hip_1" gear="150"/>
    <motor joint="ankle_1" gear="150"/>
    <motor joint="hip_2" gear="150"/>
    <motor joint="ankle_2" gear="150"/>
    <motor joint="hip_3" gear="150"/>
    <motor joint="ankle_3" gear="150"/>
  </actuator>
</mujoco>)";
